"""The end of an audit trail that several control planes write: said twice, in the database and by each of them.

`audit_head` is one row beside the trail, written in the same transaction, under an HMAC with R/keys/audit.key, which
the control planes have in common and the database has not: whoever can write the database alone cannot add rows. That
row can be brought back to what it said before, together with the trail. So each control plane also keeps R/audit.head,
the newest row it wrote itself: a trail without that row was cut off or written anew.
"""

from __future__ import annotations

from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.audit import AuditFinding
from lineside.server.access.audit_head import START, AuditHead, Head, Mark, finding, said
from lineside.server.database import Base, Json

_log = structlog.get_logger("lineside.audit")
_ONLY = 1


class AuditHeadRow(Base):
    """What all control planes say is the newest row; there is one."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    head: Mapped[Head] = mapped_column(Json(Head))


class SharedHead:
    """Both of them. Who calls `before` is in the transaction that adds the rows."""

    def __init__(self, root: Path) -> None:
        self._own = AuditHead(root)

    def before(self, session: Session, last: Mark, wanted: Mark) -> bool:
        """The table ended with `last`, and `wanted` follows; False when it should have ended otherwise: then what was
        said stays, as evidence."""
        row = session.get(AuditHeadRow, _ONLY)
        if self._look(session, row, last) is not None:
            _log.error("the audit trail does not end as it should", found=last.number, next="lineside audit verify")
            return False
        head = self._own.signed(Head(newest=wanted))
        if row is None:
            session.add(AuditHeadRow(id=_ONLY, head=head))
        else:
            row.head = head
        session.flush()
        return True

    def after(self, newest: Mark) -> None:
        """`newest` is committed. Never fails: what lags behind is still a row of the trail."""
        self._own.after(newest)

    def compare(self, session: Session, last: Mark) -> AuditFinding | None:
        """What is wrong with a table that ends with `last`."""
        return self._look(session, session.get(AuditHeadRow, _ONLY), last)

    def _look(self, session: Session, row: AuditHeadRow | None, last: Mark) -> AuditFinding | None:
        own = self._own.read()
        if own is None and self._own.exists:
            what = "R/audit.head is not what this control plane wrote: nothing vouches for the end."
            return finding(last.number, last.number, what)
        if row is None:  # a release before wrote R/audit.head alone
            known = None if own is None else hash_of(session, own.newest.number)
            return None if last == START and own is None else self._own.compare(last, known)
        if not self._own.is_signed(row.head):
            what = "The row of audit_head is not what a control plane wrote: nothing vouches for the end."
            return finding(last.number, last.number, what)
        if own is not None and own.newest != START and hash_of(session, own.newest.number) != own.newest.hash:
            return said(own, last, hash_of(session, own.newest.number))
        return None if row.head.newest == last else said(row.head, last, hash_of(session, row.head.newest.number))


def hash_of(session: Session, number: int) -> str | None:
    """The hash of a row of the trail, as the table has it."""
    from lineside.server.access.audit import AuditRow  # that module keeps the trail, and this one its end

    return session.scalar(select(AuditRow.hash).where(AuditRow.number == number))
