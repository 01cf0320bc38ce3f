"""The audit trail: one row a decision, in the transaction that decides, chained by hash to the row before."""

from __future__ import annotations

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.audit import FIRST, AuditEntry, entry_hash
from lineside.server.access.caller import current
from lineside.server.clock import Clock, rfc3339
from lineside.server.database import Base


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

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def record(self, session: Session, action: str, subject: str, *, digest: str | None = None, why: str = "") -> None:
        """Add a decision of whoever asks now (`caller.current`); it is stored when the transaction commits."""
        caller = current()
        last = session.scalars(select(AuditRow).order_by(AuditRow.number.desc()).limit(1)).first()
        entry = AuditEntry(
            number=last.number + 1 if last else 1,
            at=rfc3339(self._clock.now()),
            actor=caller.name,
            by=caller.by,
            source=caller.source,
            action=action,
            subject=subject,
            digest=digest,
            why=why,
            previous=last.hash if last else FIRST,
            hash="",
        )
        session.add(
            AuditRow(
                number=entry.number,
                at=entry.at,
                actor=entry.actor,
                by=entry.by,
                source=entry.source,
                action=action,
                subject=subject,
                digest=digest,
                why=why,
                previous=entry.previous,
                hash=entry_hash(entry),
            )
        )
        session.flush()
