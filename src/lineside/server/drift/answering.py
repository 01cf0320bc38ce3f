"""What people say to alarms and streams: seen, muted until a time, this is what is usual now."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy.orm import Session

from lineside.contract.drift_alarm import DriftAlarm, DriftStream
from lineside.contract.drift_usual import DAYS, DAYS_ENOUGH, WINDOWS_ENOUGH
from lineside.contract.errors import LinesideError
from lineside.server.access.caller import current
from lineside.server.clock import rfc3339
from lineside.server.drift import store
from lineside.server.drift.judging import Judging, where
from lineside.server.drift.service import since_of
from lineside.server.drift.store import AlarmRow, StreamRow
from lineside.server.services import Core

MOST_HOURS = 24 * 90
_MOST_WHY = 1000


class DriftAnswers:
    """Each answer is an event and a row of the audit trail."""

    def __init__(self, core: Core, judging: Judging) -> None:
        self._core, self._judging = core, judging

    def acknowledge(self, number: int, why: str = "") -> DriftAlarm:
        """Somebody has seen it; it stays until its windows are near again. Raises `request.not_found`,
        `drift.cleared`, `request.invalid`."""
        _check_why(why)
        with self._core.database.write() as session:
            alarm = self._open(session, number)
            alarm.acknowledged_at, alarm.acknowledged_by, alarm.why = self._now(), current().name, why
            self._said(session, "drift.acknowledge", alarm, f"Drift on {where(alarm)} was acknowledged", why)
            return alarm.value(self._now())

    def mute(self, number: int, hours: float, why: str = "") -> DriftAlarm:
        """It asks nobody for anything for so many hours, nor does its stream; 0 ends that. Raises `request.not_found`,
        `drift.cleared`, `request.invalid`."""
        _check_why(why)
        if not (math.isfinite(hours) and 0 <= hours <= MOST_HOURS):
            raise LinesideError("request.invalid", why=f"an alarm is muted for 0 to {MOST_HOURS} hours")
        until = rfc3339(self._core.clock.now() + timedelta(hours=hours)) if hours else None
        with self._core.database.write() as session:
            alarm = self._open(session, number)
            alarm.muted_until, alarm.why = until, why
            stream = session.get(StreamRow, alarm.stream)
            if stream is not None:
                stream.muted_until = until
            said = f"Drift on {where(alarm)} " + (f"was muted until {until[:16]}Z" if until else "is muted no more")
            self._said(session, "drift.mute", alarm, said, why)
            return alarm.value(self._now())

    def rebase(self, stream: str, why: str = "") -> DriftStream:
        """Its last week, by this model, is what is usual from now on. Raises `request.not_found`, `request.invalid`,
        `drift.few_windows`."""
        _check_why(why)
        with self._core.database.write() as session:
            row = session.get(StreamRow, stream)
            if row is None:
                raise LinesideError("request.not_found", what="drift stream", name=stream[:40])
            since = since_of(row, DAYS)
            if not self._judging.accept(session, row, since, current().name, held=True):
                windows = sum(1 for _ in store.seen_since(session, row.id, row.digest, since, held=True))
                raise LinesideError(
                    "drift.few_windows", stream=where(row), windows=windows, since=since, enough=WINDOWS_ENOUGH,
                    days=DAYS_ENOUGH,
                )  # fmt: skip
            said = f"The last week of {where(row)} is what is usual there"
            self._said(session, "drift.rebase", row, said, why)
            return row.value()

    def _open(self, session: Session, number: int) -> AlarmRow:
        alarm = session.get(AlarmRow, number) if number < 2**31 else None
        if alarm is None:
            raise LinesideError("request.not_found", what="drift alarm", name=number)
        if alarm.cleared_at is not None:
            raise LinesideError("drift.cleared", number=number)
        return alarm

    def _said(self, session: Session, verb: str, row: AlarmRow | StreamRow, said: str, why: str) -> None:
        about = str(row.number) if isinstance(row, AlarmRow) else row.id
        self._core.audit.record(session, verb, about, why=f"{said}: {why}" if why else said)
        self._core.events.record(session, kind=verb, subject=row.name, message=f"{said}{': ' + why if why else '.'}")

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())


def _check_why(why: str) -> None:
    if len(why) > _MOST_WHY or "\0" in why:
        raise LinesideError("request.invalid", why=f"a reason has at most {_MOST_WHY} characters, and no NUL")
