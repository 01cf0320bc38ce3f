"""Tables of the trust room and their queries."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.ceremony import Proposal, ProposalState, ProposedFile, Quorum, SignedBy
from lineside.server.database import Base, Json


class ProposalRow(Base):
    """A proposal; `number` orders them and names them."""

    __tablename__ = "proposals"
    __table_args__ = (
        Index("ix_proposals_state", "state"),
        Index("ix_proposals_kind_subject", "kind", "subject"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(256))
    state: Mapped[str] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(String(256))
    at: Mapped[str] = mapped_column(String(32))
    why: Mapped[str]
    changes: Mapped[tuple[str, ...]] = mapped_column(Json(tuple[str, ...]))
    decided_at: Mapped[str | None] = mapped_column(String(32), default=None)
    reason: Mapped[str] = mapped_column(default="")

    @property
    def id(self) -> str:
        return f"proposal-{self.number}"


class FileRow(Base):
    """A file of a proposal. `base` is the version that counted when it was drafted."""

    __tablename__ = "proposed_files"

    proposal: Mapped[int] = mapped_column(ForeignKey("proposals.number"), primary_key=True)
    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int]
    base: Mapped[int]
    text: Mapped[str]
    quorums: Mapped[tuple[Quorum, ...]] = mapped_column(Json(tuple[Quorum, ...]))


class SignatureRow(Base):
    """A signature over a file of a proposal."""

    __tablename__ = "proposal_signatures"

    proposal: Mapped[int] = mapped_column(ForeignKey("proposals.number"), primary_key=True)
    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(String(256))
    signature: Mapped[str]
    at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))

    def value(self) -> SignedBy:
        """The row as it travels."""
        return SignedBy(role=self.role, key=self.key, name=self.name, at=self.at, by=self.by, signature=self.signature)


class KeyRow(Base):
    """What the control plane remembers about a key of a role; its public half is in the metadata."""

    __tablename__ = "trust_keys"

    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    added_at: Mapped[str] = mapped_column(String(32))
    last_used: Mapped[str | None] = mapped_column(String(32), default=None)


def proposal(session: Session, id_: str, *, lock: bool = False) -> ProposalRow | None:
    """The proposal with this id, locked against others who decide about it when wanted."""
    head, _, number = id_.rpartition("-")
    if head != "proposal" or not (number.isascii() and number.isdigit() and len(number) < 16):
        return None
    return session.get(ProposalRow, int(number), with_for_update=lock)


def proposals(
    session: Session,
    *,
    state: ProposalState | None = None,
    kind: str | None = None,
    subject: str | None = None,
    limit: int | None = None,
) -> list[ProposalRow]:
    """Proposals, newest first; at most `limit`."""
    query = select(ProposalRow).order_by(ProposalRow.number.desc())
    if state is not None:
        query = query.where(ProposalRow.state == state.value)
    if kind is not None:
        query = query.where(ProposalRow.kind == kind)
    if subject is not None:
        query = query.where(ProposalRow.subject == subject)
    return list(session.scalars(query.limit(limit)))


def files(session: Session, row: ProposalRow) -> list[FileRow]:
    """The files of a proposal, in the order in which they answer for one another."""
    found = session.scalars(select(FileRow).where(FileRow.proposal == row.number))
    order = ("root", "targets")
    return sorted(found, key=lambda one: (order.index(one.role) if one.role in order else len(order), one.role))


def signatures(session: Session, row: ProposalRow) -> list[SignatureRow]:
    """The signatures of a proposal, oldest first."""
    query = select(SignatureRow).where(SignatureRow.proposal == row.number)
    return list(session.scalars(query.order_by(SignatureRow.at, SignatureRow.role, SignatureRow.key)))


def value(session: Session, row: ProposalRow) -> Proposal:
    """A proposal as it travels."""
    signed = signatures(session, row)
    return Proposal(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        state=ProposalState(row.state),
        by=row.by,
        at=row.at,
        why=row.why,
        files=tuple(
            ProposedFile(
                role=file.role,
                version=file.version,
                text=file.text,
                quorums=file.quorums,
                signed_by=tuple(one.key for one in signed if one.role == file.role),
            )
            for file in files(session, row)
        ),
        changes=row.changes,
        signatures=tuple(one.value() for one in signed),
        decided_at=row.decided_at,
        reason=row.reason,
    )


def keys(session: Session) -> dict[tuple[str, str], KeyRow]:
    """What is remembered, by role and key id."""
    return {(row.role, row.key): row for row in session.scalars(select(KeyRow))}


def remember(session: Session, trusted: Iterable[tuple[str, str]], at: str) -> int:
    """Note keys that were not known yet; how many."""
    known = keys(session)
    new = [KeyRow(role=role, key=key, added_at=at) for role, key in trusted if (role, key) not in known]
    session.add_all(new)
    session.flush()
    return len(new)


def used(session: Session, role: str, key: str, at: str) -> None:
    """Note that a key has signed."""
    row = session.get(KeyRow, (role, key))
    if row is None:
        session.add(KeyRow(role=role, key=key, added_at=at, last_used=at))
    else:
        row.last_used = at
    session.flush()
