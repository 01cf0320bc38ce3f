"""Tables of collections and their queries."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from sqlalchemy import ColumnElement, Index, String, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from lineside.contract.collection import (
    Collection,
    CollectionDevice,
    CollectionPage,
    CollectionRequest,
    CollectionSchedule,
    CollectionState,
    ScheduledCollection,
)
from lineside.contract.device import DeviceState
from lineside.server.captures.spreading import Part
from lineside.server.database import Base, Json
from lineside.server.database.among import among
from lineside.server.devices.store import DeviceRow, GroupRow

_OPEN = CollectionState.OPEN.value


class CollectionRow(Base):
    """A collection of images from a group."""

    __tablename__ = "collections"
    __table_args__ = (Index("ix_collections_state", "state", "until"), Index("ix_collections_created_at", "created_at"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    request: Mapped[CollectionRequest] = mapped_column(Json(CollectionRequest))
    state: Mapped[str] = mapped_column(String(16))
    until: Mapped[str] = mapped_column(String(32))  # RFC 3339 in UTC, as every time here
    created_at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))
    ended_at: Mapped[str | None] = mapped_column(String(32), default=None)
    schedule: Mapped[str | None] = mapped_column(String(64), default=None)


class CollectionDeviceRow(Base):
    """One device's part of a collection."""

    __tablename__ = "collection_devices"
    __table_args__ = (Index("ix_collection_devices_device", "device"),)

    collection: Mapped[str] = mapped_column(String(64), primary_key=True)
    device: Mapped[str] = mapped_column(String(63), primary_key=True)
    asked: Mapped[int]
    kept: Mapped[int] = mapped_column(default=0)
    uploaded: Mapped[int] = mapped_column(default=0)
    refused: Mapped[dict[str, int] | None] = mapped_column(Json(dict[str, int]), default=None)
    why: Mapped[str] = mapped_column(default="")  # by its own word
    told_at: Mapped[str | None] = mapped_column(String(32), default=None)
    asked_at: Mapped[str | None] = mapped_column(String(32), default=None)  # None: from the beginning
    lost: Mapped[str] = mapped_column(default="", server_default="")  # why others are asked for its part

    def value(self) -> CollectionDevice:
        """The row as it travels; what came was kept, whatever the device has told."""
        return CollectionDevice(
            device=self.device,
            asked=self.asked,
            kept=max(self.kept, self.uploaded),
            uploaded=self.uploaded,
            refused=self.refused or {},
            why=" ".join(filter(None, (self.lost, self.why))),
            told_at=self.told_at,
        )


class CollectionScheduleRow(Base):
    """A collection that begins again and again."""

    __tablename__ = "collection_schedules"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[CollectionSchedule] = mapped_column(Json(CollectionSchedule))
    created_at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))
    next_at: Mapped[str] = mapped_column(String(32))
    last: Mapped[str | None] = mapped_column(String(64), default=None)
    problem: Mapped[str] = mapped_column(default="", server_default="")

    def value(self) -> ScheduledCollection:
        """The row as it travels."""
        return ScheduledCollection(
            document=self.document,
            created_at=self.created_at,
            by=self.by,
            next_at=self.next_at,
            last=self.last,
            problem=self.problem,
        )


def value(session: Session, row: CollectionRow, devices: tuple[int, int] | None = None) -> Collection:
    """A collection with its sums, and with the devices of a page (offset, limit)."""
    return _with_sums(session, [row], devices)[0]


def page(session: Session, offset: int, limit: int) -> CollectionPage:
    """Collections, newest first."""
    rows = select(CollectionRow).order_by(CollectionRow.created_at.desc(), CollectionRow.id)
    found = list(session.scalars(rows.offset(offset).limit(limit)))
    total = session.scalar(select(func.count()).select_from(CollectionRow)) or 0
    return CollectionPage(collections=tuple(_with_sums(session, found, None)), total=total)


def _with_sums(session: Session, rows: list[CollectionRow], devices: tuple[int, int] | None) -> list[Collection]:
    part = CollectionDeviceRow
    kept = case((part.kept > part.uploaded, part.kept), else_=part.uploaded)
    sums = (
        select(part.collection, func.sum(part.asked), func.sum(kept), func.sum(part.uploaded), func.count())
        .add_columns(func.count(part.told_at))
        .where(part.collection.in_([row.id for row in rows]))
        .group_by(part.collection)
    )
    summed = {row[0]: tuple(int(one) for one in row[1:]) for row in session.execute(sums)}
    refused: dict[str, Counter[str]] = {row.id: Counter() for row in rows}
    said = select(part.collection, part.refused).where(part.collection.in_(refused), part.refused.is_not(None))
    for id_, reasons in session.execute(said.execution_options(yield_per=1000)):
        refused[id_].update(reasons)
    found = []
    for row in rows:
        asked, kept_, uploaded_, count, told = summed.get(row.id, (0, 0, 0, 0, 0))
        found.append(
            Collection(
                id=row.id,
                request=row.request,
                state=CollectionState(row.state),
                created_at=row.created_at,
                by=row.by,
                ended_at=row.ended_at,
                schedule=row.schedule,
                asked=asked,
                kept=kept_,
                uploaded=uploaded_,
                refused=dict(refused[row.id]),
                told=told,
                device_count=count,
                devices=_devices(session, row.id, *devices) if devices else (),
            )
        )
    return found


def _devices(session: Session, id_: str, offset: int, limit: int) -> tuple[CollectionDevice, ...]:
    rows = select(CollectionDeviceRow).where(CollectionDeviceRow.collection == id_)
    found = session.scalars(rows.order_by(CollectionDeviceRow.device).offset(offset).limit(limit))
    return tuple(row.value() for row in found)


def able_devices(session: Session, group: str) -> list[str]:
    """Accepted devices of a group."""
    members = select(GroupRow.device).join(DeviceRow, DeviceRow.name == GroupRow.device).where(GroupRow.group == group)
    return list(session.scalars(members.where(DeviceRow.state == DeviceState.ACCEPTED.value).distinct()))


def devices_of(session: Session, id_: str) -> list[str]:
    """Devices of a collection."""
    return list(session.scalars(select(CollectionDeviceRow.device).where(CollectionDeviceRow.collection == id_)))


def bump(session: Session, devices: list[str]) -> None:
    """What devices should capture has changed."""
    changed = update(DeviceRow).where(among(DeviceRow.name, devices)).values(collecting=DeviceRow.collecting + 1)
    session.execute(changed, execution_options={"synchronize_session": False})


def open_parts(session: Session, device: str, now: str) -> list[tuple[CollectionDeviceRow, CollectionRow]]:
    """A device's parts of collections that are open, oldest first."""
    query = (
        select(CollectionDeviceRow, CollectionRow)
        .join(CollectionRow, CollectionRow.id == CollectionDeviceRow.collection)
        .where(CollectionDeviceRow.device == device, CollectionRow.state == _OPEN, CollectionRow.until > now)
        .order_by(CollectionRow.created_at, CollectionRow.id)
    )
    return [(part, row) for part, row in session.execute(query)]


def uploaded(session: Session, id_: str) -> int:
    """How many images of a collection came."""
    total = select(func.sum(CollectionDeviceRow.uploaded)).where(CollectionDeviceRow.collection == id_)
    return int(session.scalar(total) or 0)


def over(session: Session, now: str) -> list[str]:
    """Open collections whose time is over."""
    return list(
        session.scalars(select(CollectionRow.id).where(CollectionRow.state == _OPEN, CollectionRow.until <= now))
    )


def opened(session: Session) -> list[CollectionRow]:
    """Open collections."""
    return list(session.scalars(select(CollectionRow).where(CollectionRow.state == _OPEN)))


class Away(NamedTuple):
    """Who was last heard of up to `silent` (RFC 3339; empty: nobody) keeps no more; up to `gone`, nor will it send."""

    silent: str
    gone: str


def unsettled(session: Session, row: CollectionRow, away: Away) -> bool:
    """Whether an open part is lost, or one is open while another device has more than it was asked for."""
    part, have = CollectionDeviceRow, _have(away)
    query = select(part.device).join(DeviceRow, DeviceRow.name == part.device).where(part.collection == row.id)

    def any_(*which: ColumnElement[bool]) -> bool:
        return session.scalar(query.where(*which).limit(1)) is not None

    return any_(part.asked > have, _lost(row, away.silent)) or (any_(have > part.asked) and any_(part.asked > have))


def parts(session: Session, row: CollectionRow, away: Away, here: str) -> dict[str, tuple[CollectionDeviceRow, Part]]:
    """Parts of a collection, by device, and how things stand with them. Who was last heard of after `here` can be asked
    for more."""
    part = CollectionDeviceRow
    query = select(part, DeviceRow.last_seen, _have(away).label("have"), _lost(row, away.silent).label("lost"))
    found = session.execute(query.join(DeviceRow, DeviceRow.name == part.device).where(part.collection == row.id))
    return {one.device: (one, _part(one, seen, here, have, lost)) for one, seen, have, lost in found}


def _part(row: CollectionDeviceRow, seen: str | None, here: str, have: int, lost: bool) -> Part:
    there = row.told_at is not None and seen is not None and seen > here
    return Part(asked=row.asked, have=have, there=there and not lost, lost=lost)


def _have(away: Away) -> ColumnElement[int]:
    """How many images of its part a device has, or has sent; what one has kept that is revoked, or gone, counts only
    when it comes."""
    part = CollectionDeviceRow
    revoked = DeviceRow.state == DeviceState.REVOKED.value
    gone = part.told_at.is_not(None), func.coalesce(DeviceRow.last_seen, part.told_at) <= away.gone
    return case((or_(revoked, and_(*gone)), part.uploaded), (part.kept > part.uploaded, part.kept), else_=part.uploaded)


def _lost(row: CollectionRow, silent: str) -> ColumnElement[bool]:
    """Whether a device keeps no more for a collection."""
    part = CollectionDeviceRow
    left = DeviceRow.state != DeviceState.ACCEPTED.value, ~_member(row.request.group, part.device)
    untold = part.told_at.is_(None), func.coalesce(part.asked_at, row.created_at) <= silent
    told = part.told_at.is_not(None), func.coalesce(DeviceRow.last_seen, part.told_at) <= silent
    return or_(part.why != "", *left, and_(*untold), and_(*told))


def _member(group: str, device: ColumnElement[str] | InstrumentedAttribute[str]) -> ColumnElement[bool]:
    return exists().where(GroupRow.group == group, GroupRow.device == device)


def takes_part(session: Session, row: CollectionRow, device: str) -> bool:
    """Whether a device is one that a collection may ask."""
    known = session.get(DeviceRow, device)
    member = session.get(GroupRow, (device, row.request.group)) is not None
    return member and known is not None and known.state == DeviceState.ACCEPTED.value


def why_lost(session: Session, row: CollectionRow, device: str) -> str:
    """Why a device keeps no more for a collection, where it does not say so itself."""
    known = session.get_one(DeviceRow, device)
    if known.state != DeviceState.ACCEPTED.value:
        return f"It is {known.state}"
    if not takes_part(session, row, device):
        return f"It is not in {row.request.group} any more"
    part = session.get_one(CollectionDeviceRow, (row.id, device))
    if part.told_at is None:
        return "It has not heard of the collection"
    return f"It was last heard of at {known.last_seen or part.told_at}"


def spare(session: Session, row: CollectionRow, here: str) -> list[str]:
    """Accepted devices of its group that have no part in a collection and were last heard of after `here`."""
    part = CollectionDeviceRow
    taken = exists().where(part.collection == row.id, part.device == GroupRow.device)
    members = select(GroupRow.device).join(DeviceRow, DeviceRow.name == GroupRow.device)
    there = DeviceRow.state == DeviceState.ACCEPTED.value, DeviceRow.last_seen > here
    return list(session.scalars(members.where(GroupRow.group == row.request.group, *there, ~taken).distinct()))
