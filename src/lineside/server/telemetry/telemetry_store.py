"""The table of what devices tell of their runtimes, and its queries: by minute for a few hours, by hour for two weeks.

Bounded by device: whoever sends more than one message a minute has them merged into one row, and a row is cut to
`told.MOST_KEPT` bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.telemetry import Telemetry
from lineside.server.clock import rfc3339
from lineside.server.database import Base, Json
from lineside.server.telemetry.told import cut

MINUTE, HOUR = "minute", "hour"
KEPT = {MINUTE: timedelta(hours=3), HOUR: timedelta(days=14)}
MOST_COMPONENTS = 16
"""Components of one device whose telemetry is kept."""

_READ = 16  # rows at a time
_NAMED_BY = {MINUTE: 16, HOUR: 13}  # characters of an RFC 3339 moment


class TelemetryRow(Base):
    """What one component of a device told of a minute or an hour."""

    __tablename__ = "device_telemetry"

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    grain: Mapped[str] = mapped_column(String(8), primary_key=True)
    component: Mapped[str] = mapped_column(String(128), primary_key=True)
    at: Mapped[str] = mapped_column(String(16), primary_key=True)
    told: Mapped[Telemetry] = mapped_column(Json(Telemetry))


def add(session: Session, told: Telemetry) -> bool:
    """Store a message in its minute and its hour; False when it is there already."""
    minute = _row(session, told, MINUTE)
    if minute is not None and minute.told.process == told.process and minute.told.number >= told.number:
        return False
    for grain in KEPT:
        row = _row(session, told, grain)
        if row is None:
            at = told.at[: _NAMED_BY[grain]]
            kept = cut(told)
            session.add(TelemetryRow(device=told.device, grain=grain, component=told.component, at=at, told=kept))
        else:
            row.told = cut(row.told.merged(told))
    return True


def components(session: Session, device: str) -> set[str]:
    """Whose telemetry of a device is kept."""
    rows = session.scalars(select(TelemetryRow.component).where(TelemetryRow.device == device).distinct())
    return set(rows)


def drop_old(session: Session, device: str, now: datetime) -> None:
    """Forget what is older than is kept."""
    for grain, kept in KEPT.items():
        before = rfc3339(now - kept)[: _NAMED_BY[grain]]
        session.execute(
            delete(TelemetryRow).where(
                TelemetryRow.device == device, TelemetryRow.grain == grain, TelemetryRow.at < before
            )
        )


def since(session: Session, device: str, grain: str, moment: datetime) -> Iterator[tuple[str, Telemetry]]:
    """What a device told since a moment, with the minute or hour it belongs to: one component after the other, each
    oldest first. A few rows are in memory at a time."""
    query = select(TelemetryRow.at, TelemetryRow.told).where(TelemetryRow.grain == grain)
    after = TelemetryRow.at >= rfc3339(moment)[: _NAMED_BY[grain]]
    for component in sorted(components(session, device)):
        mine = (TelemetryRow.device == device, TelemetryRow.component == component, after)
        rows = session.execute(query.where(*mine).order_by(TelemetryRow.at).execution_options(yield_per=_READ))
        yield from rows


def newest(session: Session, device: str) -> list[Telemetry]:
    """The last minute of each component."""
    mine = (TelemetryRow.device == device, TelemetryRow.grain == MINUTE)
    last = select(TelemetryRow.component, func.max(TelemetryRow.at).label("at")).where(*mine)
    newest_ = last.group_by(TelemetryRow.component).subquery()
    joined = select(TelemetryRow.told).join(
        newest_, (TelemetryRow.component == newest_.c.component) & (TelemetryRow.at == newest_.c.at)
    )
    return list(session.scalars(joined.where(*mine).order_by(TelemetryRow.component)))


def _row(session: Session, told: Telemetry, grain: str) -> TelemetryRow | None:
    return session.get(TelemetryRow, (told.device, grain, told.component, told.at[: _NAMED_BY[grain]]))
