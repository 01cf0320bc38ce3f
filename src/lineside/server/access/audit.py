"""The audit trail: one row a decision, in the transaction that decides, chained by hash to the row before.

Rows are numbered and chained at the very end of their transaction, which has the database's write lock, so that
decisions never fork the chain, whichever control plane they are made on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import Index, String, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.audit import AuditEntry, AuditFinding, entry_hash
from lineside.server.access.audit_head import START, AuditHead, Mark
from lineside.server.access.caller import current
from lineside.server.access.shared_head import SharedHead, hash_of
from lineside.server.clock import Clock, rfc3339
from lineside.server.database import Base, at_end

_WAITING = "lineside_audit"
_LONGEST = 256  # what the columns hold
_LONGEST_WHY = 4000


class AuditRow(Base):
    """A decision; never changed."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_subject_number", "subject", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(256))
    by: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(256))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(256))
    digest: Mapped[str | None] = mapped_column(String(71))
    why: Mapped[str]
    previous: Mapped[str] = mapped_column(String(71))
    hash: Mapped[str] = mapped_column(String(71))


class Audit:
    """The audit table."""

    def __init__(self, clock: Clock, root: Path, *, shared: bool = False) -> None:
        """`root` is the control plane's folder, for audit.head and its key; `shared`: others write the trail, too."""
        self._clock = clock
        self.head = AuditHead(root)
        self._shared = SharedHead(root) if shared else None
        self.turn = threading.Lock()
        """Held while the chain grows; with it, table and head agree."""

    def record(self, session: Session, action: str, subject: str, *, digest: str | None = None, why: str = "") -> None:
        """Add a decision of whoever asks now (`caller.current`). It is there when the transaction has committed, not
        before; texts are cut to what their columns hold."""
        caller = current()
        entry = AuditEntry(
            number=0,
            at=rfc3339(self._clock.now()),
            actor=_fitting(caller.name),
            by=caller.by,
            source=_fitting(caller.source),
            action=action,
            subject=_fitting(subject),
            digest=digest,
            why=_fitting(why, _LONGEST_WHY),
            previous="",
            hash="",
        )
        waiting: list[AuditEntry] = session.info.setdefault(_WAITING, [])
        if not waiting:
            at_end(session, self._chained)
        waiting.append(entry)

    @contextmanager
    def _chained(self, session: Session) -> Iterator[None]:
        """Number, chain and insert what waits; then comes the commit, then the head moves on."""
        session.flush()  # everything else first
        with self.turn:
            last = end = newest(session)
            rows = []
            for entry in session.info.pop(_WAITING):
                numbered = msgspec.structs.replace(entry, number=end.number + 1, previous=end.hash)
                end = Mark(numbered.number, entry_hash(numbered))
                rows.append(msgspec.structs.asdict(numbered) | {"hash": end.hash})
            session.execute(insert(AuditRow), rows)
            shared = self._shared
            as_it_should = shared.before(session, last, end) if shared else self.head.before(last, end)
            yield
            if as_it_should:
                self.head.after(end)

    def ending(self, session: Session) -> tuple[Mark, AuditFinding | None]:
        """The last row of the trail, and what is wrong with its end. The first thing that `session` reads."""
        with self.turn:  # nobody here commits a row between the look at the table and that at the file
            last = newest(session)
            if self._shared:
                return last, self._shared.compare(session, last)
            head = self.head.read()
            return last, self.head.compare(last, None if head is None else hash_of(session, head.newest.number))


def newest(session: Session) -> Mark:
    """The last row of the trail."""
    row = session.execute(select(AuditRow.number, AuditRow.hash).order_by(AuditRow.number.desc()).limit(1)).first()
    return Mark(row.number, row.hash) if row else START


def _fitting(words: str, longest: int = _LONGEST) -> str:
    words = words.replace("\0", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL takes no NUL in a text
    return words if len(words) <= longest else words[: longest - 1] + "…"
