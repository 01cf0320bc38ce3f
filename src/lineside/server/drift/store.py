"""Tables of drift and their queries: what is watched (streams), windows, hours of them put together, and alarms.

Bounded: of a stream the windows of eight days, and 5,000 at most, each some 1.5 KiB; the hours of a device two weeks,
of groups and the fleet 90 days, each some 4 KiB; alarms that are cleared 400 days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Index, String, Text, case, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.drift import DriftWindow, merged
from lineside.contract.drift_alarm import AlarmState, DriftAlarm, DriftScope, DriftStream
from lineside.contract.drift_causes import Cause
from lineside.contract.drift_distance import Distance, Held, Usual
from lineside.contract.drift_usual import Seen
from lineside.server.clock import rfc3339
from lineside.server.database import Base, Json
from lineside.server.database.among import among
from lineside.server.devices.store import GroupRow

KEPT_WINDOWS, MOST_WINDOWS = timedelta(days=8), 5_000
KEPT_HOURS = {"device": timedelta(days=14), "group": timedelta(days=90), "fleet": timedelta(days=90)}
KEPT_CLEARED = timedelta(days=400)
_READ = 16  # rows at a time
_GONE = 1000  # silent streams that are forgotten at once
_BLIND: dict[str, Any] = {"synchronize_session": False}
HOUR = 13
"""Characters of an RFC 3339 moment that name its hour."""

Told = dict[str, tuple[float, float]]
"""By quantity: the shift of a window, and its limit."""


class StreamRow(Base):
    """What is watched. `usual` is a week's of the field; without it the model's own test images count."""

    __tablename__ = "drift_streams"
    __table_args__ = (Index("ix_drift_streams_scope", "scope", "name"), Index("ix_drift_streams_model", "model"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    scope: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(63))
    component: Mapped[str] = mapped_column(String(128))
    source: Mapped[str] = mapped_column(String(128))
    model: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    digest: Mapped[str] = mapped_column(String(80))
    baseline: Mapped[str] = mapped_column(String(8))
    usual: Mapped[Usual | None] = mapped_column(Json(Usual), default=None)
    accepted_by: Mapped[str] = mapped_column(String(256), default="")
    first_at: Mapped[str] = mapped_column(String(32))
    last_at: Mapped[str] = mapped_column(String(32))
    windows: Mapped[int] = mapped_column(default=0)
    held: Mapped[Held] = mapped_column(Json(Held))
    told: Mapped[dict[str, Distance]] = mapped_column(Json(dict[str, Distance]))
    alarm: Mapped[int | None] = mapped_column(default=None)
    muted_until: Mapped[str | None] = mapped_column(String(32), default=None)

    def value(self) -> DriftStream:
        """The row as it travels."""
        usual = self.usual
        return DriftStream(
            id=self.id,
            scope=DriftScope(self.scope),
            name=self.name,
            component=self.component,
            source=self.source,
            model=self.model,
            version=self.version,
            digest=self.digest,
            baseline=self.baseline,
            baseline_since=usual.since if usual else "",
            baseline_until=usual.until if usual else "",
            accepted_by=self.accepted_by,
            first_at=self.first_at,
            last_at=self.last_at,
            windows=self.windows,
            told=self.told,
            held=self.held.sides,
            k=self.held.k,
            n=self.held.n,
            alarm=self.alarm,
            muted_until=self.muted_until,
        )


class DriftWindowRow(Base):
    """A window of a stream, as far as what is usual depends on it. `key` tells it from others, `at` is our moment."""

    __tablename__ = "drift_windows"
    __table_args__ = (Index("ix_drift_windows_at", "stream", "at"),)

    stream: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[str] = mapped_column(String(32))
    digest: Mapped[str] = mapped_column(String(80))
    held: Mapped[bool]  # whether drift was held just then: such a window becomes usual only if a person says so
    seen: Mapped[Seen] = mapped_column(Json(Seen))
    told: Mapped[Told] = mapped_column(Json(Told))


class DriftHourRow(Base):
    """All windows of a stream and a model file in an hour, as if they had been one. `judged`: of a group or the fleet,
    once the hour is over."""

    __tablename__ = "drift_hours"
    __table_args__ = (Index("ix_drift_hours_judged", "judged", "hour"), Index("ix_drift_hours_hour", "hour"))

    stream: Mapped[str] = mapped_column(String(32), primary_key=True)
    digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    hour: Mapped[str] = mapped_column(String(13), primary_key=True)
    window: Mapped[DriftWindow] = mapped_column(Json(DriftWindow))
    judged: Mapped[bool]


class AlarmRow(Base):
    """Drift that is held, or was. `told`: whether people heard of it."""

    __tablename__ = "drift_alarms"
    __table_args__ = (
        Index("ix_drift_alarms_cleared_at", "cleared_at"),
        Index("ix_drift_alarms_name", "name", "number"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(String(32))
    scope: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(63))
    component: Mapped[str] = mapped_column(String(128))
    source: Mapped[str] = mapped_column(String(128))
    model: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    digest: Mapped[str] = mapped_column(String(80))
    quantities: Mapped[dict[str, Distance]] = mapped_column(Json(dict[str, Distance]))
    causes: Mapped[tuple[Cause, ...]] = mapped_column(Json(tuple[Cause, ...]))
    shown_since: Mapped[str] = mapped_column(String(32))
    raised_at: Mapped[str] = mapped_column(String(32))
    told: Mapped[bool]
    acknowledged_at: Mapped[str | None] = mapped_column(String(32), default=None)
    acknowledged_by: Mapped[str] = mapped_column(String(256), default="")
    why: Mapped[str] = mapped_column(Text, default="")
    muted_until: Mapped[str | None] = mapped_column(String(32), default=None)
    cleared_at: Mapped[str | None] = mapped_column(String(32), default=None)
    cleared_why: Mapped[str] = mapped_column(Text, default="")

    def state(self, now: str) -> AlarmState:
        """Where it stands at a moment."""
        if self.cleared_at is not None:
            return AlarmState.CLEARED
        if self.muted_until is not None and self.muted_until > now:
            return AlarmState.MUTED
        return AlarmState.RAISED if self.acknowledged_at is None else AlarmState.ACKNOWLEDGED

    def value(self, now: str) -> DriftAlarm:
        """The row as it travels."""
        same = {name: getattr(self, name) for name in DriftAlarm.__struct_fields__ if name not in ("state", "scope")}
        return DriftAlarm(state=self.state(now), scope=DriftScope(self.scope), **same)


def in_state(state: AlarmState, now: str) -> ColumnElement[bool]:
    """Whether an alarm is in a state at a moment."""
    is_open, muted = AlarmRow.cleared_at.is_(None), AlarmRow.muted_until > now
    loud = AlarmRow.muted_until.is_(None) | (AlarmRow.muted_until <= now)
    return {
        AlarmState.CLEARED: AlarmRow.cleared_at.is_not(None),
        AlarmState.MUTED: is_open & muted,
        AlarmState.RAISED: is_open & loud & AlarmRow.acknowledged_at.is_(None),
        AlarmState.ACKNOWLEDGED: is_open & loud & AlarmRow.acknowledged_at.is_not(None),
    }[state]


def alarms(
    session: Session, wanted: list[ColumnElement[bool]], before: int | None, limit: int
) -> tuple[list[AlarmRow], int]:
    """Alarms, newest first, and how many there are in all."""
    total = session.scalar(select(func.count()).select_from(AlarmRow).where(*wanted)) or 0
    older = [] if before is None else [AlarmRow.number < before]
    rows = session.scalars(select(AlarmRow).where(*wanted, *older).order_by(AlarmRow.number.desc()).limit(limit))
    return list(rows), total


def seen_since(session: Session, stream: str, digest: str, since: str, *, held: bool) -> Iterator[Seen]:
    """A stream's windows since a moment, oldest first; without `held` those in which no drift was."""
    mine = [DriftWindowRow.stream == stream, DriftWindowRow.digest == digest, DriftWindowRow.at >= since]
    if not held:
        mine.append(DriftWindowRow.held.is_(False))
    yield from session.scalars(select(DriftWindowRow.seen).where(*mine).order_by(DriftWindowRow.at))


def drop_windows(session: Session, stream: str, before: str) -> None:
    """Forget what is older than is kept, and more than are kept."""
    mine = DriftWindowRow.stream == stream
    newest = select(DriftWindowRow.at).where(mine).order_by(DriftWindowRow.at.desc()).offset(MOST_WINDOWS).limit(1)
    oldest = max(before, session.scalar(newest) or "")
    session.execute(delete(DriftWindowRow).where(mine, DriftWindowRow.at <= oldest))


def nth_newest(session: Session, stream: str, count: int) -> str | None:
    """When the first of a stream's last windows began."""
    last = select(DriftWindowRow.at).where(DriftWindowRow.stream == stream).order_by(DriftWindowRow.at.desc())
    return min(session.scalars(last.limit(count)), default=None)


def hours_since(session: Session, stream: str, digest: str, since: str) -> Iterator[DriftWindow]:
    """A stream's hours since a moment, a few in memory at a time."""
    mine = (DriftHourRow.stream == stream, DriftHourRow.digest == digest, DriftHourRow.hour >= since[:HOUR])
    rows = session.scalars(select(DriftHourRow.window).where(*mine).execution_options(yield_per=_READ))
    yield from rows


def devices_with_alarm(session: Session, row: StreamRow) -> bool:
    """Whether a device of a group, or of the fleet, has an alarm by the same model file."""
    query = select(AlarmRow.number).where(
        AlarmRow.scope == DriftScope.DEVICE.value, AlarmRow.cleared_at.is_(None), AlarmRow.digest == row.digest
    )
    if row.scope == DriftScope.GROUP.value:
        query = query.join(GroupRow, GroupRow.device == AlarmRow.name).where(GroupRow.group == row.name)
    return session.scalars(query.limit(1)).first() is not None


def add_hour(session: Session, stream: str, window: DriftWindow, *, judged: bool) -> None:
    """Put a window to what its hour has told so far."""
    place = (stream, window.digest, window.began_at[:HOUR])
    row = session.get(DriftHourRow, place)
    if row is None:
        session.add(DriftHourRow(stream=stream, digest=place[1], hour=place[2], window=window, judged=judged))
    else:
        row.window = merged(row.window, window)


def hours_to_judge(session: Session, before: str, limit: int) -> list[DriftHourRow]:
    """Hours of groups and the fleet that are over, oldest first."""
    over = (DriftHourRow.judged.is_(False), DriftHourRow.hour < before[:HOUR])
    return list(session.scalars(select(DriftHourRow).where(*over).order_by(DriftHourRow.hour).limit(limit)))


def streams_of(session: Session, device: str) -> int:
    """How many streams a device has."""
    mine = (StreamRow.scope == DriftScope.DEVICE.value, StreamRow.name == device)
    return session.scalar(select(func.count()).select_from(StreamRow).where(*mine)) or 0


def windows_of(session: Session, stream: str, since: str) -> Iterator[tuple[str, Told]]:
    """The moments and distances of a stream's windows since a moment, oldest first."""
    mine = (DriftWindowRow.stream == stream, DriftWindowRow.at >= since)
    for row in session.execute(select(DriftWindowRow.at, DriftWindowRow.told).where(*mine).order_by(DriftWindowRow.at)):
        yield row[0], row[1]


def sources(session: Session) -> int:
    """How many sources of devices are watched."""
    of_devices = StreamRow.scope == DriftScope.DEVICE.value
    return session.scalar(select(func.count()).select_from(StreamRow).where(of_devices)) or 0


def streams(
    session: Session, wanted: list[ColumnElement[bool]], after: str, limit: int
) -> tuple[list[StreamRow], int, str]:
    """Streams by whether they have an alarm and by name, how many there are in all, and where the next page begins."""
    total = session.scalar(select(func.count()).select_from(StreamRow).where(*wanted)) or 0
    quiet = case((StreamRow.alarm.is_(None), "1"), else_="0")
    order = quiet + StreamRow.name + "/" + StreamRow.id
    query = select(StreamRow, order.label("place")).where(*wanted, order > after).order_by(order).limit(limit + 1)
    found = session.execute(query).all()
    shown = found[:limit]
    return [row[0] for row in shown], total, str(shown[-1][1]) if len(found) > limit else ""


def forget(session: Session, now: datetime) -> None:
    """Drop what is older than is kept."""
    for scope, kept in KEPT_HOURS.items():
        of_scope = DriftHourRow.stream.in_(select(StreamRow.id).where(StreamRow.scope == scope))
        session.execute(
            delete(DriftHourRow).where(DriftHourRow.hour < rfc3339(now - kept)[:HOUR], of_scope),
            execution_options=_BLIND,
        )
    session.execute(delete(AlarmRow).where(AlarmRow.cleared_at < rfc3339(now - KEPT_CLEARED)), execution_options=_BLIND)
    silent = StreamRow.last_at < rfc3339(now - KEPT_HOURS["group"])
    gone = list(session.scalars(select(StreamRow.id).where(silent, StreamRow.alarm.is_(None)).limit(_GONE)))
    for column in (DriftWindowRow.stream, DriftHourRow.stream, StreamRow.id):
        session.execute(delete(column.class_).where(among(column, gone)), execution_options=_BLIND)
