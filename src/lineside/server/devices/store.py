"""Tables and queries of the devices room."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.deployment import UpdatePolicy, ValidationPolicy
from lineside.contract.desired import DesiredComponent
from lineside.contract.device import CertificatePurpose, DeviceState
from lineside.contract.inquiry import InquiryPart, InquiryRequest
from lineside.contract.reported import Report
from lineside.server.database import Base, Json
from lineside.server.devices.instances import Count

GOOD, SUPERSEDED, WITHDRAWN = "good", "superseded", "revoked"
"""States of a certificate."""


class DeviceRow(Base):
    """A device that joined, or asks to. `key` is its public key (PEM), the one its assertions are verified with.

    While it renews its certificate it has a second one, which takes the first's place when it is first used.
    """

    __tablename__ = "devices"
    __table_args__ = (
        Index("uq_devices_fingerprint", "fingerprint", unique=True),
        Index("ix_devices_state", "state"),
    )

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default=DeviceState.ACCEPTED.value)
    twin: Mapped[bool]
    key: Mapped[str]
    certificate: Mapped[str]
    token: Mapped[str] = mapped_column(String(64))  # hash of the join token it came with; empty without one
    facts: Mapped[dict[str, Any]] = mapped_column(Json(dict[str, Any]))  # see `facts.remember`
    os: Mapped[str] = mapped_column(String(32), default="", server_default="")  # these three are facts too
    architecture: Mapped[str] = mapped_column(String(32), default="", server_default="")
    time_zone: Mapped[str] = mapped_column(String(64), default="", server_default="")  # IANA's name, or nothing
    joined_at: Mapped[str] = mapped_column(String(32))
    revoked_at: Mapped[str | None] = mapped_column(String(32), default=None)
    last_seen: Mapped[str | None] = mapped_column(String(32), default=None)
    sequence: Mapped[int] = mapped_column(default=-1)  # of the newest report stored
    report: Mapped[Report | None] = mapped_column(Json(Report), default=None)
    revision: Mapped[int] = mapped_column(default=-1, server_default="-1")  # that the newest report speaks about
    phase: Mapped[str] = mapped_column(String(16), default="", server_default="")  # of the newest report
    outcome: Mapped[str | None] = mapped_column(String(16), default=None)  # of `revision`, judged: see `model.outcome`
    healthy_since: Mapped[str | None] = mapped_column(String(32), default=None)  # heard healthy without a break since
    restarts: Mapped[int] = mapped_column(default=0, server_default="0")  # of all components, as the newest report says
    conditions: Mapped[int] = mapped_column(default=0, server_default="0")  # how many the newest report tells of
    fingerprint: Mapped[str] = mapped_column(String(64), server_default="")  # of `key`
    next_key: Mapped[str | None] = mapped_column(default=None)
    next_certificate: Mapped[str | None] = mapped_column(default=None)
    next_fingerprint: Mapped[str | None] = mapped_column(String(64), default=None)
    counted: Mapped[Count | None] = mapped_column(Json(Count), default=None)  # the newest that an assertion said
    asked_from: Mapped[str] = mapped_column(String(256), default="", server_default="")
    state_at: Mapped[str | None] = mapped_column(String(32), default=None)
    state_why: Mapped[str] = mapped_column(default="", server_default="")
    collecting: Mapped[int] = mapped_column(default=0, server_default="0")  # grows when what it should capture changes


class CertificateRow(Base):
    """A certificate that was signed for a device. `fingerprint` is of its key, which no other device may use, ever."""

    __tablename__ = "certificates"
    __table_args__ = (
        Index("ix_certificates_device", "device"),
        Index("ix_certificates_fingerprint", "fingerprint"),
    )

    serial: Mapped[str] = mapped_column(String(40), primary_key=True)  # hex, as the certificate has it
    device: Mapped[str] = mapped_column(ForeignKey("devices.name"))
    fingerprint: Mapped[str] = mapped_column(String(64))
    purpose: Mapped[str] = mapped_column(String(16))
    ends_at: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))  # good, superseded, revoked
    state_at: Mapped[str] = mapped_column(String(32))


class PreauthorisedRow(Base):
    """A key that may join without a token, once."""

    __tablename__ = "preauthorised"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(63))
    group: Mapped[str] = mapped_column(String(63))
    created_at: Mapped[str] = mapped_column(String(32))


class GroupRow(Base):
    """A device is in a group: `origin` says how it came there (a `Membership`)."""

    __tablename__ = "device_groups"
    __table_args__ = (Index("ix_device_groups_group", "group"),)

    device: Mapped[str] = mapped_column(ForeignKey("devices.name"), primary_key=True)
    group: Mapped[str] = mapped_column(String(63), primary_key=True)
    origin: Mapped[str] = mapped_column(String(16), default="static", server_default="static")


class DesiredRow(Base):
    """What one device should run: `content` names it, so that ten thousand equal documents are stored once."""

    __tablename__ = "desired_documents"
    __table_args__ = (Index("ix_desired_documents_content", "content"),)

    device: Mapped[str] = mapped_column(ForeignKey("devices.name"), primary_key=True)
    revision: Mapped[int]
    content: Mapped[str] = mapped_column(ForeignKey("desired_contents.digest"))


class DesiredContentRow(Base):
    """What a desired document says, but for whose it is and its revision; never changed."""

    __tablename__ = "desired_contents"

    digest: Mapped[str] = mapped_column(String(71), primary_key=True)
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


def wanting(session: Session, wants: Callable[[tuple[DesiredComponent, ...]], bool]) -> dict[str, str]:
    """Devices that should run something of which `wants` says so, with the content's digest; asked once a content."""
    contents = [row.digest for row in session.scalars(select(DesiredContentRow)) if wants(row.components)]
    named = select(DesiredRow.device, DesiredRow.content).where(DesiredRow.content.in_(contents))
    return {row.device: row.content for row in session.execute(named)}


def contents(session: Session, digests: Collection[str]) -> dict[str, tuple[DesiredComponent, ...]]:
    """What documents say that have these digests."""
    rows = session.scalars(select(DesiredContentRow).where(DesiredContentRow.digest.in_(digests)))
    return {row.digest: row.components for row in rows}


def wanted_of(session: Session, device: str) -> tuple[DesiredComponent, ...]:
    """What a device should run."""
    query = select(DesiredContentRow).join(DesiredRow, DesiredRow.content == DesiredContentRow.digest)
    row = session.scalars(query.where(DesiredRow.device == device)).first()
    return row.components if row else ()


def groups_of(session: Session, devices: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The groups of each of these devices that has one, sorted."""
    found: dict[str, tuple[str, ...]] = {}
    for row in session.scalars(select(GroupRow).where(GroupRow.device.in_(devices)).order_by(GroupRow.group)):
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


def may_connect(session: Session, name: str, serial: str) -> bool:
    """Whether a device may connect to the broker with this certificate (serial in hex).

    A quarantined one may: it publishes results, which are marked, and hears hints.
    """
    row, certificate = session.get(DeviceRow, name), session.get(CertificateRow, serial)
    if row is None or certificate is None or certificate.device != name or certificate.state != GOOD:
        return False
    return row.state in (DeviceState.ACCEPTED.value, DeviceState.QUARANTINED.value)


def may_send(session: Session, name: str) -> bool:
    """Whether results of a device are taken, where the broker has checked its certificate and is not ours."""
    state = session.scalar(select(DeviceRow.state).where(DeviceRow.name == name))
    return state in (DeviceState.ACCEPTED.value, DeviceState.QUARANTINED.value)


def certificates_of(session: Session, name: str, *states: str) -> list[CertificateRow]:
    """A device's certificates in these states."""
    query = select(CertificateRow).where(CertificateRow.device == name, CertificateRow.state.in_(states))
    return list(session.scalars(query))


def withdrawn(session: Session, now: str) -> list[CertificateRow]:
    """Certificates that are good no more though they have not ended, by serial."""
    query = select(CertificateRow).where(CertificateRow.state != GOOD, CertificateRow.ends_at > now)
    return list(session.scalars(query.order_by(CertificateRow.serial)))


def key_is_taken(session: Session, fingerprint: str) -> bool:
    """Whether a key belongs, or has belonged, to a device."""
    mine = DeviceRow.fingerprint == fingerprint
    device = select(DeviceRow.name).where(mine | (DeviceRow.next_fingerprint == fingerprint)).limit(1)
    certificate = select(CertificateRow.serial).where(CertificateRow.fingerprint == fingerprint).limit(1)
    return session.scalar(device) is not None or session.scalar(certificate) is not None


def quarantined(session: Session, names: Collection[str]) -> set[str]:
    """Which of these devices are quarantined."""
    query = select(DeviceRow.name).where(DeviceRow.name.in_(names), DeviceRow.state == DeviceState.QUARANTINED.value)
    return set(session.scalars(query))


def pending(session: Session) -> list[DeviceRow]:
    """Devices that wait for a person, by name."""
    query = select(DeviceRow).where(DeviceRow.state == DeviceState.PENDING.value)
    return list(session.scalars(query.order_by(DeviceRow.name)))


def ends_of(session: Session, devices: Sequence[str]) -> dict[str, str]:
    """When the newest good certificate of each of these devices ends."""
    good = select(CertificateRow.device, func.max(CertificateRow.ends_at).label("ends_at"))
    good = good.where(CertificateRow.state == GOOD, CertificateRow.purpose == CertificatePurpose.DEVICE.value)
    good = good.where(CertificateRow.device.in_(devices))
    return {row.device: row.ends_at for row in session.execute(good.group_by(CertificateRow.device))}
