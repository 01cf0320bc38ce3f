"""What can be done with exports: a device announces and uploads one, people list them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy.orm import Session

from lineside.contract.capture import Ticket
from lineside.contract.errors import LinesideError
from lineside.contract.export import EXPORT_SCHEMA, ExportPage, ExportRecord
from lineside.contract.ids import is_digest, is_name
from lineside.server.captures import exports_store as store
from lineside.server.captures.exports_store import ExportRow
from lineside.server.captures.pieces import exactly
from lineside.server.clock import rfc3339
from lineside.server.services import Core

_LONGEST = 1024  # characters of a bucket, key or stream
_MOST_METADATA = 2048  # characters, names and values


class ExportsService:
    """Exports and their upload tickets."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def announce(self, caller: str, record: ExportRecord) -> Ticket:
        """A ticket to upload an export; announcing it again gives the same while it is good, else a new one.

        Raises `auth.not_yours`, `request.invalid`, `export.too_large`, `export.id_taken`, `export.budget_spent`.
        """
        self._check(caller, record)
        stored = self._stored(record)
        with self._core.database.write() as session:
            row = self._row(session, caller, record)
            if stored:
                store.mark_uploaded(session, row.id, self._now())
                session.refresh(row)
            return Ticket(
                id=row.ticket,
                url=f"/device/v1/exports/{row.ticket}",
                digest=record.digest,
                max_bytes=record.size,
                expires_at=row.expires_at,
                uploaded=row.uploaded_at is not None,
            )

    def check_ticket(self, caller: str, ticket: str) -> ExportRecord:
        """What a ticket is for. Raises `ticket.unknown`, `ticket.used`, `ticket.expired`."""
        with self._core.database.read() as session:
            row = store.by_ticket(session, ticket, caller)
            if row is None:
                raise LinesideError("ticket.unknown", ticket=ticket)
            if row.uploaded_at is not None:
                raise LinesideError("ticket.used", ticket=ticket)
            if row.expires_at <= self._now():
                raise LinesideError("ticket.expired", ticket=ticket, expired_at=row.expires_at)
            return row.record

    def upload(self, caller: str, ticket: str, pieces: Iterable[bytes]) -> None:
        """Store what a ticket allows, once. Nothing is kept when it is not exactly what was announced.

        Raises what `check_ticket` does, `ticket.wrong_size`, `blob.digest_mismatch`.
        """
        record = self.check_ticket(caller, ticket)
        self._core.objects.put(exactly(pieces, record.size), expected=record.digest)
        with self._core.database.write() as session:
            if not store.mark_uploaded(session, record.id, self._now()):
                raise LinesideError("ticket.used", ticket=ticket)

    def page(self, device: str, offset: int, limit: int) -> ExportPage:
        """A device's uploaded exports, newest first."""
        with self._core.database.read() as session:
            exports, total = store.uploaded(session, device, offset, limit)
        return ExportPage(exports=exports, total=total)

    def _check(self, caller: str, record: ExportRecord) -> None:
        if record.device != caller:
            raise LinesideError("auth.not_yours", device=caller)
        wrong = _what_is_wrong(record)
        if wrong:
            raise LinesideError("request.invalid", why=wrong)
        if record.size > self._core.settings.export_bytes:
            raise LinesideError("export.too_large", size=record.size, limit=self._core.settings.export_bytes)

    def _stored(self, record: ExportRecord) -> bool:
        objects = self._core.objects
        return objects.exists(record.digest) and objects.size(record.digest) == record.size

    def _row(self, session: Session, caller: str, record: ExportRecord) -> ExportRow:
        row = session.get(ExportRow, record.id)
        now = self._core.clock.now()
        expires = rfc3339(now + timedelta(seconds=self._core.settings.ticket_seconds))
        if row is None:
            count = store.announced_since(session, caller, rfc3339(now - timedelta(days=1)))
            if count >= self._core.settings.exports_per_day:
                raise LinesideError("export.budget_spent", device=caller, count=count)
            row = ExportRow(
                id=record.id,
                device=caller,
                record=record,
                requested_at=rfc3339(now),
                ticket=secrets.token_urlsafe(24),
                expires_at=expires,
            )
            session.add(row)
        elif row.device != caller or row.record != record:
            raise LinesideError("export.id_taken", id=record.id)
        elif row.uploaded_at is None and row.expires_at <= rfc3339(now):
            row.ticket, row.expires_at = secrets.token_urlsafe(24), expires
        session.flush()
        return row

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())


def _what_is_wrong(record: ExportRecord) -> str:
    if record.schema != EXPORT_SCHEMA:
        return f"{record.schema!r} is not {EXPORT_SCHEMA}"
    if not is_name(record.id):
        return f"{record.id!r} cannot name an export"
    if not is_digest(record.digest):
        return f"{record.digest!r} is not a digest"
    if record.size < 0:
        return "an export has no fewer than 0 bytes"
    if max(len(record.bucket), len(record.key), len(record.stream)) > _LONGEST:
        return f"bucket, key and stream have {_LONGEST} characters at most"
    long = sum(len(name) + len(value) for name, value in record.metadata.items()) > _MOST_METADATA
    return f"metadata has {_MOST_METADATA} characters at most" if long else ""
