"""Reading the audit trail: pages of it, the check of the whole, and its export. Nothing here holds it all in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from lineside.contract.audit import AuditEntry, AuditFinding, AuditPage, AuditVerdict, Chain
from lineside.server.access.audit import AuditRow, newest
from lineside.server.access.shared_head import hash_of
from lineside.server.services import Core

_COLUMNS = tuple(getattr(AuditRow, name) for name in AuditEntry.__struct_fields__)
_PIECE = 500  # rows


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which rows: of somebody, of an action or of all actions on a noun, about a subject, not before a time."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: str | None = None  # RFC 3339 in UTC, or the beginning of one: 2026-11-21

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same for the database."""
        found: list[ColumnElement[bool]] = []
        if self.actor:
            found.append(AuditRow.actor == self.actor)
        if self.action:
            found.append(
                (AuditRow.action == self.action) | AuditRow.action.startswith(f"{self.action}.", autoescape=True)
            )
        if self.subject:
            found.append(AuditRow.subject == self.subject)
        if self.since:
            found.append(AuditRow.at >= self.since)
        return found


class AuditTrail:
    """The audit trail as people read it."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def page(self, wanted: Wanted, before: int | None, limit: int) -> AuditPage:
        """Rows numbered below `before` (all when None), newest first, at most `limit`."""
        with self._core.database.read() as session:
            total = session.scalar(select(func.count()).select_from(AuditRow).where(*wanted.conditions())) or 0
            query = select(AuditRow.number).where(*wanted.conditions()).order_by(AuditRow.number.desc()).limit(limit)
            numbers = list(session.scalars(query if before is None else query.where(AuditRow.number < before)))
            entries = (entry for _, entry in reversed(_read(session, numbers)) if entry is not None)
            return AuditPage(entries=tuple(entries), total=total)

    def verify(self, kept: tuple[int, str] | None = None) -> AuditVerdict:
        """Follow the whole chain, and compare its end with R/audit.head.

        `kept` is a row as somebody has it from an export, number and hash: the trail must still have it.
        """
        chain = Chain()
        with self._core.database.read() as session:
            last, ending = self._core.audit.ending(session)
            for number, entry in _rows(session, last.number):
                if entry is None:
                    chain.unreadable(number)
                else:
                    chain.follow(entry)
            if kept is not None and hash_of(session, kept[0]) != kept[1]:
                what = f"Row {kept[0]} is not the one that was exported: the trail was written anew up to it."
                chain.add(AuditFinding(first=1, last=kept[0], what=what))
        if ending is not None:
            chain.add(ending)
        return chain.verdict(ending=True)

    def ending(self) -> AuditFinding | None:
        """What is wrong with the end of the trail alone, in no time."""
        with self._core.database.read() as session:
            return self._core.audit.ending(session)[1]

    def export(self, since: int) -> Iterator[bytes]:
        """Rows numbered above `since` as JSON lines, oldest first. That they left is a row of its own, their last."""
        with self._core.database.write() as session:
            why = f"rows after {since}" if since else "all rows"
            self._core.audit.record(session, "audit.export", "audit", why=why)
        with self._core.database.read() as session:
            last = newest(session).number
        return self._lines(since, last)

    def _lines(self, since: int, last: int) -> Iterator[bytes]:
        while True:
            with self._core.database.read() as session:
                numbers = _numbers(session, since, last)
                entries = [entry for _, entry in _read(session, numbers) if entry is not None]
            if not numbers:
                return
            yield b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
            since = numbers[-1]


def _rows(session: Session, last: int) -> Iterator[tuple[int, AuditEntry | None]]:
    """Every row up to `last` by number; None in place of one that cannot be read."""
    piece = _numbers(session, None, last)
    while piece:
        yield from _read(session, piece)
        piece = _numbers(session, piece[-1], last)


def _numbers(session: Session, after: int | None, last: int) -> list[int]:
    query = select(AuditRow.number).where(AuditRow.number <= last).order_by(AuditRow.number).limit(_PIECE)
    return list(session.scalars(query if after is None else query.where(AuditRow.number > after)))


def _read(session: Session, numbers: Sequence[int]) -> list[tuple[int, AuditEntry | None]]:
    """Rows by number, oldest first; None in place of one whose texts are no texts."""
    query = select(*_COLUMNS).where(AuditRow.number.in_(numbers)).order_by(AuditRow.number)
    try:
        return [(row[0], _entry(row)) for row in session.execute(query)]
    except DBAPIError:
        if len(numbers) == 1:
            return [(numbers[0], None)]
        return [one for number in sorted(numbers) for one in _read(session, [number])]


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(**dict(zip(AuditEntry.__struct_fields__, row, strict=True)))
