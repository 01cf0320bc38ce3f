"""What can be done with drift: windows are taken, people look at what is watched, and answer alarms."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from lineside.contract.device import DeviceState
from lineside.contract.drift import DriftWindow
from lineside.contract.drift_alarm import AlarmState, DriftScope
from lineside.contract.drift_distance import Held
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.devices.store import DeviceRow, GroupRow
from lineside.server.drift import store, taking
from lineside.server.drift.judging import Judging, stream_id, with_moment
from lineside.server.drift.store import AlarmRow, DriftHourRow, StreamRow
from lineside.server.services import Core

MOST_STREAMS = 64
"""Of one device: components and sources."""

FLEET = "fleet"
"""The name of what all devices see together."""

_AT_ONCE = 100  # hours of groups that are judged in one transaction
_LOCK = threading.Lock


class DriftService:
    """Windows as they come. A twin's windows, and those of a device that is not accepted, say nothing of the fleet."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.judging = Judging(core)
        self._refused: set[str] = set()  # devices of which people heard that a window was not taken
        self._lock = _LOCK()

    def receive(self, device: str, payload: bytes) -> None:
        """Take one message of a device, from any thread. Raises `drift.invalid`."""
        try:
            self.take(device, payload)
        except LinesideError as error:
            self._say_refused(device, error)
            raise

    def take(self, device: str, payload: bytes) -> bool:
        """Take a window; False when it was there already, or says nothing of the fleet. Raises `drift.invalid`."""
        now = self._core.clock.now()
        told = taking.read(device, payload)
        window = with_moment(told, taking.moment(told, now))
        key = content_digest(list(told.key)).removeprefix("sha256:")
        with self._core.database.write() as session:
            known = session.get(DeviceRow, device)
            if known is None or known.twin or known.state != DeviceState.ACCEPTED.value:
                return False
            row = self._stream(session, DriftScope.DEVICE, device, window)
            if not self.judging.judge(session, row, window, key):
                return False
            self.judging.settle(session, row)
            store.add_hour(session, row.id, window, judged=True)
            for scope, name in self._wider(session, device):
                wide = self._stream(session, scope, name, window)
                store.add_hour(session, wide.id, window, judged=False)
            return True

    def step(self) -> None:
        """Judge the hours of groups and the fleet that are over, tell of alarms that are not muted any more, forget
        what is old. Safe to repeat."""
        now = self._core.clock.now()
        over = rfc3339(now - timedelta(minutes=15))  # a quarter of an hour for what is under way
        with self._core.database.read() as session:
            due = bool(store.hours_to_judge(session, over, 1)) or bool(self._unmuted(session, rfc3339(now)))
        if due:
            with self._core.database.write() as session:
                for hour in store.hours_to_judge(session, over, _AT_ONCE):
                    self._judge_hour(session, hour)
                for alarm in self._unmuted(session, rfc3339(now)):
                    self.judging.tell(session, alarm)

    def tidy(self) -> None:
        """Forget what is older than is kept."""
        with self._core.database.write() as session:
            store.forget(session, self._core.clock.now())

    # --- inside ---------------------------------------------------------------------------------------------------

    def _stream(self, session: Session, scope: DriftScope, name: str, window: DriftWindow) -> StreamRow:
        """The stream of a window; of groups and the fleet there is one for each file of a model version."""
        of_device = scope is DriftScope.DEVICE
        by_model = (window.model, str(window.version), window.digest)
        more = (window.component, window.source, window.model) if of_device else by_model
        row = session.get(StreamRow, stream_id(scope, name, *more))
        if row is None:
            if of_device and store.streams_of(session, name) >= MOST_STREAMS:
                raise LinesideError("drift.invalid", device=name, why="too many components and sources tell of drift")
            row = StreamRow(
                id=stream_id(scope, name, *more), scope=scope.value, name=name,
                component=window.component if of_device else "", source=window.source if of_device else "",
                model=window.model, version=window.version, digest=window.digest, baseline="",
                first_at=window.began_at, last_at=window.began_at, windows=0, held=Held(), told={},
            )  # fmt: skip
            session.add(row)
            session.flush()
        return row

    @staticmethod
    def _wider(session: Session, device: str) -> list[tuple[DriftScope, str]]:
        groups = session.scalars(select(GroupRow.group).where(GroupRow.device == device).order_by(GroupRow.group))
        return [*((DriftScope.GROUP, name) for name in groups), (DriftScope.FLEET, FLEET)]

    def _judge_hour(self, session: Session, hour: DriftHourRow) -> None:
        hour.judged = True
        row = session.get(StreamRow, hour.stream)
        if row is not None:
            window = with_moment(hour.window, f"{hour.hour}:00:00.000Z")
            self.judging.judge(session, row, window, f"{hour.digest[-40:]}/{hour.hour}")
            self.judging.settle(session, row)

    @staticmethod
    def _unmuted(session: Session, now: str) -> list[AlarmRow]:
        wanted: list[ColumnElement[bool]] = [AlarmRow.told.is_(False), store.in_state(AlarmState.RAISED, now)]
        return store.alarms(session, wanted, None, _AT_ONCE)[0]

    def _say_refused(self, device: str, error: LinesideError) -> None:
        """Once, until this control plane starts again: a device says the same every ten minutes."""
        with self._lock:
            if device in self._refused:
                return
            self._refused.add(device)
        report = error.report()
        with self._core.database.write() as session:
            if session.get(DeviceRow, device) is not None:
                self._core.events.record(
                    session, kind="drift.refused", subject=device, message=report.message, error=report
                )


def since_of(row: StreamRow, days: float) -> str:
    """The moment so many days before the newest window of a stream, in RFC 3339."""
    return rfc3339(parse_rfc3339(row.last_at) - timedelta(days=days))
