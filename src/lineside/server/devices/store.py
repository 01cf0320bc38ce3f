"""Tables and queries of the devices room."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.deployment import UpdatePolicy, ValidationPolicy
from lineside.contract.desired import DesiredComponent
from lineside.contract.device import DeviceState
from lineside.contract.inquiry import InquiryPart, InquiryRequest
from lineside.contract.reported import Report
from lineside.server.database import Base, Json


class DeviceRow(Base):
    """A device that joined. `key` is its public key (PEM), the one its assertions are verified with."""

    __tablename__ = "devices"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default=DeviceState.ACCEPTED.value)
    twin: Mapped[bool]
    key: Mapped[str]
    certificate: Mapped[str]
    token: Mapped[str] = mapped_column(String(64))  # hash of the join token it came with
    facts: Mapped[dict[str, Any]] = mapped_column(Json(dict[str, Any]))
    joined_at: Mapped[str] = mapped_column(String(32))
    revoked_at: Mapped[str | None] = mapped_column(String(32), default=None)
    last_seen: Mapped[str | None] = mapped_column(String(32), default=None)
    sequence: Mapped[int] = mapped_column(default=-1)  # of the newest report stored
    report: Mapped[Report | None] = mapped_column(Json(Report), default=None)


class GroupRow(Base):
    """A device is in a group."""

    __tablename__ = "device_groups"
    __table_args__ = (Index("ix_device_groups_group", "group"),)

    device: Mapped[str] = mapped_column(ForeignKey("devices.name"), primary_key=True)
    group: Mapped[str] = mapped_column(String(63), primary_key=True)


class DesiredRow(Base):
    """What one device should run; `digest` is of the content, so that equal content keeps its revision."""

    __tablename__ = "desired"

    device: Mapped[str] = mapped_column(ForeignKey("devices.name"), primary_key=True)
    revision: Mapped[int]
    digest: Mapped[str] = mapped_column(String(71))
    components: Mapped[tuple[DesiredComponent, ...]] = mapped_column(Json(tuple[DesiredComponent, ...]))
    deployment: Mapped[str | None] = mapped_column(String(64))
    failure_policy: Mapped[str] = mapped_column(String(16))
    update_policy: Mapped[UpdatePolicy | None] = mapped_column(Json(UpdatePolicy), default=None)  # None: the defaults
    validation_policy: Mapped[ValidationPolicy | None] = mapped_column(Json(ValidationPolicy), default=None)


class InquiryRow(Base):
    """What a person asked of a device. Kept for an hour after it expired."""

    __tablename__ = "inquiries"
    __table_args__ = (Index("ix_inquiries_device", "device", "expires_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    device: Mapped[str] = mapped_column(ForeignKey("devices.name"))
    request: Mapped[InquiryRequest] = mapped_column(Json(InquiryRequest))
    created_at: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[str] = mapped_column(String(32))
    next_part: Mapped[int] = mapped_column(default=0)
    done: Mapped[bool] = mapped_column(default=False)


class InquiryPartRow(Base):
    """A part of an answer; of a long one only the newest are kept."""

    __tablename__ = "inquiry_parts"

    inquiry: Mapped[str] = mapped_column(ForeignKey("inquiries.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    part: Mapped[InquiryPart] = mapped_column(Json(InquiryPart))


def open_inquiries(session: Session, device: str, now: str) -> list[InquiryRow]:
    """What a device is being asked at a moment (RFC 3339), oldest first."""
    asked = select(InquiryRow).where(InquiryRow.device == device, InquiryRow.done.is_(False))
    living = asked.where(InquiryRow.expires_at > now)
    return list(session.scalars(living.order_by(InquiryRow.created_at, InquiryRow.id)))


def all_devices(session: Session) -> list[DeviceRow]:
    """Every device, by name."""
    return list(session.scalars(select(DeviceRow).order_by(DeviceRow.name)))


def all_desired(session: Session) -> dict[str, tuple[DesiredComponent, ...]]:
    """What every device should run."""
    return {row.device: row.components for row in session.scalars(select(DesiredRow))}


def groups_of(session: Session) -> dict[str, tuple[str, ...]]:
    """The groups of every device that has one, sorted."""
    found: dict[str, tuple[str, ...]] = {}
    for row in session.scalars(select(GroupRow).order_by(GroupRow.group)):
        found[row.device] = (*found.get(row.device, ()), row.group)
    return found


def devices_in(session: Session, group: str) -> list[str]:
    """Names of the accepted devices of a group, sorted."""
    query = (
        select(DeviceRow.name)
        .join(GroupRow, GroupRow.device == DeviceRow.name)
        .where(GroupRow.group == group, DeviceRow.state == DeviceState.ACCEPTED.value)
        .order_by(DeviceRow.name)
    )
    return list(session.scalars(query))


def group_exists(session: Session, group: str) -> bool:
    """Whether any device is, or was, in the group."""
    return session.scalar(select(GroupRow.device).where(GroupRow.group == group).limit(1)) is not None


def is_accepted(session: Session, name: str) -> bool:
    """Whether a device of that name joined and was not revoked."""
    row = session.get(DeviceRow, name)
    return row is not None and row.state == DeviceState.ACCEPTED.value
