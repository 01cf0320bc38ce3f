"""What runs on which device, in a table of its own, so that fleets are counted without reading reports.

Kept in the transaction that stores a report; written only when what runs has changed, which is seldom.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ForeignKey, Index, String, bindparam, delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.device import DeviceState
from lineside.contract.reported import Report
from lineside.server.database import Base
from lineside.server.devices.store import DeviceRow

_LONGEST = {"name": 128, "version": 64, "digest": 71}  # a device says them, and PostgreSQL minds length and NUL


class DeviceComponentRow(Base):
    """A component that a device runs, as its newest report says; `digest` is of its recipe."""

    __tablename__ = "device_components"
    __table_args__ = (Index("ix_device_components_name", "name", "version"),)

    device: Mapped[str] = mapped_column(ForeignKey("devices.name"), primary_key=True)
    name: Mapped[str] = mapped_column(String(_LONGEST["name"]), primary_key=True)
    version: Mapped[str] = mapped_column(String(_LONGEST["version"]))
    digest: Mapped[str] = mapped_column(String(_LONGEST["digest"]))


_GONE = delete(DeviceComponentRow).where(
    DeviceComponentRow.device == bindparam("whose"), DeviceComponentRow.name == bindparam("which")
)


def note_running(session: Session, told: Iterable[tuple[str, Report | None, Report]]) -> None:
    """Keep what devices run now: each with the report that was its newest until now, and the newest. Two statements,
    however many devices they are."""
    gone: list[dict[str, str]] = []
    new: list[dict[str, str]] = []
    for device, before, report in told:
        was, runs = _running(before), _running(report)
        gone += [{"whose": device, "which": name} for name, one in was.items() if runs.get(name) != one]
        new += [
            {"device": device, "name": name, "version": version, "digest": digest}
            for name, (version, digest) in runs.items()
            if was.get(name) != (version, digest)
        ]
    if gone:
        session.connection().execute(_GONE, gone)
    if new:
        session.connection().execute(insert(DeviceComponentRow), new)


def versions_running(session: Session, name: str | None = None) -> dict[str, dict[str, int]]:
    """Component ► version ► how many accepted devices run it; of one component when given."""
    count = func.count().label("devices")
    query = (
        select(DeviceComponentRow.name, DeviceComponentRow.version, count)
        .join(DeviceRow, DeviceRow.name == DeviceComponentRow.device)
        .where(DeviceRow.state == DeviceState.ACCEPTED.value)
        .group_by(DeviceComponentRow.name, DeviceComponentRow.version)
    )
    found: dict[str, dict[str, int]] = {}
    for row in session.execute(query if name is None else query.where(DeviceComponentRow.name == name)):
        found.setdefault(row.name, {})[row.version] = row.devices
    return found


def _running(report: Report | None) -> dict[str, tuple[str, str]]:
    running = report.running if report else ()
    return {
        _cut("name", one.name): (_cut("version", one.version), _cut("digest", one.recipe_digest)) for one in running
    }


def _cut(what: str, said: str) -> str:
    return said.replace("\x00", "")[: _LONGEST[what]]
