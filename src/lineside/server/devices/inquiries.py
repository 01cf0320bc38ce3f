"""Inquiries: what people ask of a device, and the parts of its answer as they come in.

They lie in the database: a control plane that starts again still knows who asked what, and the device, which is told
how far its answer got, goes on from there. Bounded everywhere: inquiries a device, parts an inquiry, bytes a part.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import delete, event, select
from sqlalchemy.orm import Session

from lineside.contract.device import DeviceState
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.inquiry import (
    MAX_LINES,
    MAX_PART,
    MAX_PICTURE,
    MAX_TTL,
    Inquiry,
    InquiryAnswer,
    InquiryKind,
    InquiryPart,
    InquiryRequest,
)
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.devices.model import is_offline
from lineside.server.devices.store import DeviceRow, InquiryPartRow, InquiryRow, open_inquiries
from lineside.server.services import Core

MOST_OPEN = 8
"""Inquiries of one device that may be open at once."""

MOST_PARTS = 64
"""Parts of one answer that are kept: the newest."""

PICTURES_KEPT = 2
"""Parts of an answer in pictures that are kept: the newest."""

_PICTURE_SECONDS = 60  # that a device goes on sending pictures after the last look, at most
_MOST_CHECKS = 100
_KEPT = timedelta(hours=1)  # after the end, for whoever still reads


class Inquiries:
    """All inquiries; each call is a transaction of its own."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # --- people ---------------------------------------------------------------------------------------------------

    def ask(self, device: str, request: InquiryRequest, actor: str = "") -> Inquiry:
        """Ask a device; it is hinted. Raises `request.not_found`, `request.invalid`, `inquiry.*`, `twin.not_a_twin`."""
        with self._core.database.write() as session:
            return self.ask_within(session, device, request, actor)

    def ask_within(self, session: Session, device: str, request: InquiryRequest, actor: str = "") -> Inquiry:
        """As `ask`, in the caller's transaction."""
        _check_request(request)
        now = self._core.clock.now()
        self._check_device(session, device, request)
        self._prune(session, now)
        count = len(open_inquiries(session, device, rfc3339(now)))
        if count >= MOST_OPEN:
            raise LinesideError("inquiry.too_many", device=device, count=count)
        row = InquiryRow(
            id=f"inquiry-{uuid.uuid4().hex[:16]}",
            device=device,
            request=request,
            created_at=rfc3339(now),
            expires_at=rfc3339(now + timedelta(seconds=request.ttl_seconds)),
            next_part=0,
            done=False,
        )
        session.add(row)
        message = f"{device} was asked for {_words(request)}."
        self._core.events.record(session, kind="device.asked", subject=device, message=message, actor=actor)
        self._core.audit.record(session, "device.ask", device, why=f"for {_words(request)}")
        event.listen(session, "after_commit", lambda _session: self._core.hints.hint(device), once=True)
        return _inquiry(row, now)

    def answer_within(self, session: Session, device: str, id_: str) -> InquiryAnswer | None:
        """What has come back so far; None when nobody remembers the inquiry."""
        row = session.get(InquiryRow, id_)
        return None if row is None or row.device != device else _answer(session, row, -1, self._core.clock.now())

    def answer(self, device: str, id_: str, after: int = -1) -> InquiryAnswer:
        """What has come back after the part `after`. Reading one that follows keeps it alive while its device is there.

        Raises `request.not_found`.
        """
        now = self._core.clock.now()
        with self._core.database.read() as session:
            row = _found(session, device, id_)
            answer = _answer(session, row, after, now)
            living = row.request.follow and not answer.done and not answer.expired and row.next_part > 0
            renewed = living and _is_half_gone(row, now) and self._is_there(session, row, now)
        if renewed:
            with self._core.database.write() as session:
                row = _found(session, device, id_)
                row.expires_at = rfc3339(now + timedelta(seconds=row.request.ttl_seconds))
        return answer

    def end(self, device: str, id_: str) -> InquiryAnswer:
        """Nobody wants to know any more; ending twice changes nothing. Raises `request.not_found`."""
        with self._core.database.write() as session:
            row = _found(session, device, id_)
            row.done = True
            return _answer(session, row, row.next_part, self._core.clock.now())

    # --- the device -----------------------------------------------------------------------------------------------

    def open(self, device: str) -> list[Inquiry]:
        """What a device is being asked now, oldest first."""
        now = self._core.clock.now()
        with self._core.database.read() as session:
            return [_inquiry(row, now) for row in open_inquiries(session, device, rfc3339(now))]

    def accept(self, device: str, id_: str, part: InquiryPart) -> Inquiry:
        """Store a part of an answer; one that is there already changes nothing.

        Raises `request.not_found`, `request.invalid`, `inquiry.ended`: say no more about it.
        """
        _check_part(part)
        now = self._core.clock.now()
        with self._core.database.write() as session:
            row = _found(session, device, id_)
            if part.number >= row.next_part:
                if row.done or now >= parse_rfc3339(row.expires_at):
                    raise LinesideError("inquiry.ended", id=id_, device=device)
                session.add(InquiryPartRow(inquiry=id_, number=part.number, part=part))
                row.next_part, row.done = part.number + 1, part.done
                session.get_one(DeviceRow, device).last_seen = rfc3339(now)
                kept = PICTURES_KEPT if row.request.kind is InquiryKind.PICTURE else MOST_PARTS
                old = InquiryPartRow.number <= part.number - kept
                session.execute(delete(InquiryPartRow).where(InquiryPartRow.inquiry == id_, old))
            return _inquiry(row, now)

    def _check_device(self, session: Session, device: str, request: InquiryRequest) -> None:
        row = session.get(DeviceRow, device)
        if row is None:
            raise LinesideError("request.not_found", what="device", name=device)
        if row.state not in (DeviceState.ACCEPTED.value, DeviceState.QUARANTINED.value):
            raise LinesideError("inquiry.not_accepted", device=device, state=row.state)
        if request.kind is InquiryKind.MEASURE and not row.twin:
            raise LinesideError("twin.not_a_twin", device=device)

    def _is_there(self, session: Session, row: InquiryRow, now: datetime) -> bool:
        patience = max(row.request.ttl_seconds, 3 * self._core.settings.poll_seconds)
        return not is_offline(session.get_one(DeviceRow, row.device).last_seen, now, patience)

    def _prune(self, session: Session, now: datetime) -> None:
        old = list(session.scalars(select(InquiryRow.id).where(InquiryRow.expires_at < rfc3339(now - _KEPT))))
        session.execute(delete(InquiryPartRow).where(InquiryPartRow.inquiry.in_(old)))
        session.execute(delete(InquiryRow).where(InquiryRow.id.in_(old)))


def _check_request(request: InquiryRequest) -> None:
    if not 1 <= request.lines <= MAX_LINES:
        raise LinesideError("request.invalid", why=f"lines is {request.lines}, and must be 1 to {MAX_LINES}")
    if not 1 <= request.ttl_seconds <= MAX_TTL:
        raise LinesideError("request.invalid", why=f"ttl_seconds is {request.ttl_seconds}, and must be 1 to {MAX_TTL}")
    if request.kind is InquiryKind.PICTURE and (request.component is None or request.ttl_seconds > _PICTURE_SECONDS):
        raise LinesideError("request.invalid", why=f"a picture is of a component, for {_PICTURE_SECONDS} s at most")
    if request.component is not None and not is_name(request.component):
        raise LinesideError("request.invalid", why=f"{request.component[:80]!r} is no component name")


def _check_part(part: InquiryPart) -> None:
    if not 0 <= part.number < 1 << 31:
        raise LinesideError("request.invalid", why=f"{part.number} is no number of a part")
    if len(part.text.encode()) > MAX_PART:
        raise LinesideError("request.invalid", why=f"a part has at most {MAX_PART} bytes of text")
    if part.picture is not None and not 0 < len(part.picture.jpeg) <= MAX_PICTURE:
        raise LinesideError("request.invalid", why=f"a picture has at most {MAX_PICTURE} bytes")
    if part.test is not None and len(part.test.output.encode()) > MAX_PART:
        raise LinesideError("request.invalid", why=f"a test's output has at most {MAX_PART} bytes")
    if len(part.checks) > _MOST_CHECKS:
        raise LinesideError("request.invalid", why=f"a part has at most {_MOST_CHECKS} checks")


def _found(session: Session, device: str, id_: str) -> InquiryRow:
    row = session.get(InquiryRow, id_)
    if row is None or row.device != device:
        raise LinesideError("request.not_found", what="inquiry", name=id_[:80])
    return row


def _inquiry(row: InquiryRow, now: datetime) -> Inquiry:
    left = (parse_rfc3339(row.expires_at) - now).total_seconds()
    return Inquiry(
        id=row.id, request=row.request, expires_at=row.expires_at, ttl_seconds=max(0.0, left), next_part=row.next_part
    )


def _answer(session: Session, row: InquiryRow, after: int, now: datetime) -> InquiryAnswer:
    parts = select(InquiryPartRow.part).where(InquiryPartRow.inquiry == row.id, InquiryPartRow.number > after)
    return InquiryAnswer(
        id=row.id,
        device=row.device,
        request=row.request,
        parts=tuple(session.scalars(parts.order_by(InquiryPartRow.number))),
        done=row.done,
        expired=not row.done and now >= parse_rfc3339(row.expires_at),
    )


def _is_half_gone(row: InquiryRow, now: datetime) -> bool:
    return (parse_rfc3339(row.expires_at) - now).total_seconds() < row.request.ttl_seconds / 2


def _words(request: InquiryRequest) -> str:
    if request.kind is InquiryKind.DIAGNOSE:
        return "its diagnosis"
    if request.kind is InquiryKind.MEASURE:
        return "the tests of its components, and what they use"
    if request.kind is InquiryKind.PICTURE:
        return f"what {request.component} sees"
    return f"the log of {request.component or 'its agent'}"
