"""What people look at: alarms with the captures that show them, what is watched, and how it was over time."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from lineside.contract.capture import Capture
from lineside.contract.drift_alarm import (
    AlarmPage,
    AlarmShown,
    AlarmState,
    DriftCurves,
    DriftPage,
    DriftPoint,
    DriftScope,
)
from lineside.contract.errors import LinesideError
from lineside.server.captures.store import CaptureRow
from lineside.server.clock import rfc3339
from lineside.server.devices.store import GroupRow
from lineside.server.drift import store
from lineside.server.drift.store import AlarmRow, StreamRow
from lineside.server.services import Core

MOST_CAPTURES = 24
MOST_POINTS = 400
"""Of one curve; of more windows, every nth is shown."""

STRATEGY = "drift"
"""Why devices keep what shows drift."""


class DriftLooks:
    """Reads alone."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def alarms(
        self,
        state: AlarmState | None = None,
        device: str | None = None,
        *,
        cleared: bool = True,
        before: int | None = None,
        limit: int = 100,
    ) -> AlarmPage:
        """Alarms, newest first; without `cleared` those that are not over."""
        now = self._now()
        wanted: list[ColumnElement[bool]] = [] if state is None else [store.in_state(state, now)]
        if device is not None:
            wanted += [AlarmRow.name == device, AlarmRow.scope == DriftScope.DEVICE.value]
        if not cleared:
            wanted.append(AlarmRow.cleared_at.is_(None))
        with self._core.database.read() as session:
            rows, total = store.alarms(session, wanted, before, limit + 1)
        shown = tuple(row.value(now) for row in rows[:limit])
        return AlarmPage(alarms=shown, total=total, next=shown[-1].number if len(rows) > limit else None)

    def alarm(self, number: int) -> AlarmShown:
        """One alarm with captures that show it. Raises `request.not_found`."""
        with self._core.database.read() as session:
            row = session.get(AlarmRow, number) if number < 2**31 else None
            if row is None:
                raise LinesideError("request.not_found", what="drift alarm", name=number)
            return AlarmShown(alarm=row.value(self._now()), captures=tuple(_captures(session, row)))

    def streams(
        self,
        scope: DriftScope | None = None,
        name: str | None = None,
        group: str | None = None,
        after: str = "",
        limit: int = 100,
    ) -> DriftPage:
        """What is watched: of all, of a device or group by its name, or of the devices of a group."""
        wanted: list[ColumnElement[bool]] = [] if scope is None else [StreamRow.scope == scope.value]
        if name is not None:
            wanted.append(StreamRow.name == name)
        if group is not None:
            members = select(GroupRow.device).where(GroupRow.group == group)
            wanted += [StreamRow.scope == DriftScope.DEVICE.value, StreamRow.name.in_(members)]
        with self._core.database.read() as session:
            rows, total, following = store.streams(session, wanted, after, limit)
        return DriftPage(streams=tuple(row.value() for row in rows), total=total, next=following)

    def curves(self, stream: str, days: float = 2.0) -> DriftCurves:
        """One stream over its last days. Raises `request.not_found`."""
        with self._core.database.read() as session:
            row = session.get(StreamRow, stream)
            if row is None:
                raise LinesideError("request.not_found", what="drift stream", name=stream[:40])
            since = rfc3339(self._core.clock.now() - timedelta(days=days))
            found = list(store.windows_of(session, row.id, since))
        nth = -(-len(found) // MOST_POINTS) or 1
        points: dict[str, list[DriftPoint]] = {}
        for at, told in found[::-1][::nth][::-1]:
            for name, (shift, limit) in told.items():
                points.setdefault(name, []).append(DriftPoint(at=at, shift=shift, limit=limit))
        return DriftCurves(stream=row.value(), curves={name: tuple(one) for name, one in sorted(points.items())})

    def open(self) -> dict[AlarmState, int]:
        """How many alarms are not over, by state."""
        now = self._now()
        states = (AlarmState.RAISED, AlarmState.ACKNOWLEDGED, AlarmState.MUTED)
        with self._core.database.read() as session:
            return {state: store.alarms(session, [store.in_state(state, now)], None, 0)[1] for state in states}

    def watched(self) -> int:
        """How many sources of devices tell of drift."""
        with self._core.database.read() as session:
            return store.sources(session)

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())


def _captures(session: Session, row: AlarmRow) -> list[Capture]:
    """What the devices of an alarm kept because of drift since it showed, until it was over; the newest first."""
    query = select(CaptureRow).where(
        CaptureRow.strategy == STRATEGY, CaptureRow.uploaded_at.is_not(None), CaptureRow.uploaded_at >= row.shown_since
    )
    if row.scope == DriftScope.DEVICE.value:
        query = query.where(CaptureRow.device == row.name)
    elif row.scope == DriftScope.GROUP.value:
        query = query.where(CaptureRow.device.in_(select(GroupRow.device).where(GroupRow.group == row.name)))
    if row.cleared_at is not None:
        query = query.where(CaptureRow.requested_at <= row.cleared_at)
    rows = session.scalars(query.order_by(CaptureRow.uploaded_at.desc(), CaptureRow.id).limit(MOST_CAPTURES))
    return [one.value() for one in rows]
