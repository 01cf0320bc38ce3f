"""What can be done with captures: a device announces and uploads one, people look at them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.capture import Capture, CaptureFilter, CapturePage, CaptureRecord, SignedPut, Ticket
from lineside.contract.errors import LinesideError
from lineside.contract.schema_versions import CAPTURES, Schema
from lineside.server.captures import finding, reading, store
from lineside.server.captures.collections import Collections
from lineside.server.captures.partials import Partials
from lineside.server.captures.pieces import exactly
from lineside.server.captures.store import CaptureRow, TicketRow
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.services import Core

_TICKETS_AT_ONCE = 1000  # that are forgotten in one transaction


class CapturesService:
    """Captures and their upload tickets."""

    def __init__(
        self, core: Core, collections: Collections | None = None, schema: Schema[CaptureRecord] = CAPTURES
    ) -> None:
        """`schema`: of captures, in the versions that are read."""
        self._core, self._schema = core, schema
        self._collections = collections or Collections(core)
        self._partials = Partials(core.root / "uploads")

    # --- devices --------------------------------------------------------------------------------------------------

    def read(self, caller: str, payload: bytes) -> CaptureRecord:
        """A record as a device sends it. Raises `capture.invalid`, `capture.version_unread`."""
        return reading.read(caller, payload, self._schema)

    def announce(self, caller: str, record: CaptureRecord) -> Ticket:
        """A ticket to upload a capture; announcing it again gives the ticket that is open, or a new one.

        Raises `auth.not_yours`, `capture.invalid`, `capture.too_large`, `capture.id_taken`, `capture.budget_spent`,
        `ticket.wrong_size`.
        """
        self._check(caller, record)
        stored = self._stored(record)
        with self._core.database.write() as session:
            row = self._capture(session, caller, record)
            if stored:
                self._arrived(session, row)
            ticket = store.open_ticket(session, row.id, self._now()) or self._new_ticket(session, row)
            done = stored or row.uploaded_at is not None
            return Ticket(
                id=ticket.id,
                url=f"/device/v1/uploads/{ticket.id}",
                digest=ticket.digest,
                max_bytes=ticket.size,
                expires_at=ticket.expires_at,
                uploaded=done,
                received=0 if done else min(self._partials.received(row.id), ticket.size - 1),
                direct=None if done else self._direct(ticket),
            )

    def check_ticket(self, caller: str, ticket: str) -> None:
        """Raises `ticket.unknown`, `ticket.used`, `ticket.expired`."""
        with self._core.database.read() as session:
            self._usable(session, caller, ticket)

    def upload(
        self, caller: str, ticket: str, pieces: Iterable[bytes], offset: int = 0, whole: int | None = None
    ) -> None:
        """Store what a ticket allows, once; `offset` goes on where an upload broke off, `whole` is how many bytes the
        sender says there are in all. Only exactly what was announced counts.

        Raises what `check_ticket` and `Partials.take` do, `blob.digest_mismatch`.
        """
        with self._core.database.read() as session:
            row = self._usable(session, caller, ticket)
        if whole is not None and whole != row.size:
            raise LinesideError("ticket.wrong_size", actual=whole, expected=row.size)
        self._partials.take(row.capture, pieces, offset, row.size)
        self._store(row, self._partials.stream(row.capture), lambda: self._partials.drop(row.capture))

    def finish(self, caller: str, ticket: str) -> None:
        """Count what was put into the bucket with a ticket, once it was read and is what was announced.

        Raises what `check_ticket` does, `ticket.nothing_put`, `ticket.wrong_size`, `blob.digest_mismatch`.
        """
        with self._core.database.read() as session:
            row = self._usable(session, caller, ticket)
        direct = self._core.objects.direct
        try:
            pieces = iter(()) if direct is None else direct.stream(row.id)
        except LinesideError as error:
            if error.code != "request.not_found":
                raise
            direct = None
        if direct is None:
            raise LinesideError("ticket.nothing_put", ticket=ticket)
        self._store(row, pieces, partial(direct.remove, row.id))

    def tidy(self) -> None:
        """Forget what nobody went on with: beginnings of uploads, what was put and never counted, old tickets."""
        self._partials.tidy()
        day_ago = self._core.clock.now() - timedelta(days=1)
        if self._core.objects.direct is not None:
            self._core.objects.direct.tidy(day_ago)
        while True:
            with self._core.database.write() as session:
                if not store.forget_tickets(session, rfc3339(day_ago), _TICKETS_AT_ONCE):
                    return

    # --- people ---------------------------------------------------------------------------------------------------

    def page(self, which: CaptureFilter, offset: int, limit: int, before: str | None = None) -> CapturePage:
        """Uploaded captures, newest first; `before` is the `next` of the page before. Raises `request.invalid`."""
        times = {name: _in_utc(getattr(which, name)) for name in ("since", "until")}
        with self._core.database.read() as session:
            return finding.page(session, msgspec.structs.replace(which, **times), offset, limit, before)

    def models(self) -> list[str]:
        """Models that decided about captures, NAME:VERSION."""
        with self._core.database.read() as session:
            return store.models(session)

    def counts(self) -> dict[str, int]:
        """How many captures were uploaded, by strategy."""
        with self._core.database.read() as session:
            return store.count_by_strategy(session)

    def get(self, capture: str) -> Capture:
        """One capture, uploaded or not. Raises `request.not_found`."""
        with self._core.database.read() as session:
            row = store.capture(session, capture)
            if row is None:
                raise LinesideError("request.not_found", what="capture", name=capture)
            return row.value()

    def taken_at(self, digests: Iterable[str]) -> dict[str, str]:
        """When devices took pictures, of those of some (a few hundred digests) that are uploaded captures."""
        with self._core.database.read() as session:
            return store.taken_at(session, digests)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _check(self, caller: str, record: CaptureRecord) -> None:
        if record.device != caller:
            raise LinesideError("auth.not_yours", device=caller)
        wrong = reading.what_is_wrong(record)
        if wrong:
            raise LinesideError("capture.invalid", device=caller, why=wrong)
        if record.size > self._core.settings.capture_bytes:
            raise LinesideError("capture.too_large", size=record.size, limit=self._core.settings.capture_bytes)

    def _stored(self, record: CaptureRecord) -> bool:
        if not self._core.objects.exists(record.digest):
            return False
        size = self._core.objects.size(record.digest)
        if size != record.size:
            raise LinesideError("ticket.wrong_size", actual=record.size, expected=size)
        return True

    def _capture(self, session: Session, caller: str, record: CaptureRecord) -> CaptureRow:
        row = store.capture(session, record.id)
        if row is not None:
            if row.device != caller or row.record.digest != record.digest or row.record.size != record.size:
                raise LinesideError("capture.id_taken", id=record.id)
            return row
        self._check_budget(session, caller)
        row = CaptureRow(
            id=record.id,
            device=caller,
            strategy=record.strategy,
            record=record,
            requested_at=self._now(),
            digest=record.digest,
            model=store.model_of(record),
            request=record.request or None,
        )
        session.add(row)
        session.flush()
        return row

    def _arrived(self, session: Session, row: CaptureRow) -> None:
        if store.mark_uploaded(session, row, self._now()) and row.request is not None:
            self._collections.arrived(session, row.device, row.request)

    def _check_budget(self, session: Session, device: str) -> None:
        since = rfc3339(self._core.clock.now() - timedelta(days=1))
        count = store.announced_since(session, device, since)
        if count >= self._core.settings.captures_per_day:
            raise LinesideError("capture.budget_spent", device=device, count=count)

    def _new_ticket(self, session: Session, row: CaptureRow) -> TicketRow:
        expires = self._core.clock.now() + timedelta(seconds=self._core.settings.ticket_seconds)
        ticket = TicketRow(
            id=secrets.token_urlsafe(24),
            capture=row.id,
            device=row.device,
            digest=row.record.digest,
            size=row.record.size,
            expires_at=rfc3339(expires),
        )
        session.add(ticket)
        session.flush()
        return ticket

    def _store(self, ticket: TicketRow, pieces: Iterable[bytes], forget: Callable[[], None]) -> None:
        """Store what came for a ticket; what is not what was announced is forgotten."""
        try:
            self._core.objects.put(exactly(pieces, ticket.size), expected=ticket.digest)
        except LinesideError as error:
            if error.code in ("ticket.wrong_size", "blob.digest_mismatch"):
                forget()
            raise
        with self._core.database.write() as session:
            if not store.use_ticket(session, ticket.id, self._now()):
                raise LinesideError("ticket.used", ticket=ticket.id)
            self._arrived(session, session.get_one(CaptureRow, ticket.capture))
        forget()

    def _direct(self, ticket: TicketRow) -> SignedPut | None:
        """A way past this control plane, where the store has one and the settings allow it."""
        direct, wanted = self._core.objects.direct, self._core.settings.direct_uploads
        if direct is None or wanted == "off" or (wanted == "auto" and not direct.secure):
            return None
        now = self._core.clock.now()
        seconds = int((parse_rfc3339(ticket.expires_at) - now).total_seconds())
        return direct.put_url(ticket.id, ticket.digest, ticket.size, max(1, seconds), now)

    def _usable(self, session: Session, caller: str, ticket: str) -> TicketRow:
        row = store.ticket(session, ticket, caller)
        if row is None:
            raise LinesideError("ticket.unknown", ticket=ticket)
        if row.used_at is not None:
            raise LinesideError("ticket.used", ticket=ticket)
        if row.expires_at <= self._now():
            raise LinesideError("ticket.expired", ticket=ticket, expired_at=row.expires_at)
        return row

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())


def _in_utc(moment: str | None) -> str | None:
    """A time as it is kept. Raises `request.invalid`."""
    if moment is None:
        return None
    try:
        return rfc3339(datetime.fromisoformat(moment).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise LinesideError("request.invalid", why=f"{moment[:80]!r} is no time (RFC 3339)") from error
