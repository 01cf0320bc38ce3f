"""Tables of the models room and their queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import CursorResult, Index, Select, String, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.moves import Moved
from lineside.contract.registry import AliasHistory, AliasMove, CardEdit, CardHistory
from lineside.server.database import Base, Json

MOST_NUMBER = 2**31 - 1
"""What every database's INTEGER holds."""


class ModelRow(Base):
    """A model version: `registered` never changes; state and decision do. `number` orders versions by arrival."""

    __tablename__ = "models"
    __table_args__ = (
        Index("uq_models_name_version", "name", "version", unique=True),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    content: Mapped[str] = mapped_column(String(80), unique=True)
    registered: Mapped[ModelVersion] = mapped_column(Json(ModelVersion))
    dataset: Mapped[str | None] = mapped_column(String(64), default=None, index=True)
    state: Mapped[str] = mapped_column(String(24), index=True)
    decided_at: Mapped[str | None] = mapped_column(String(32), default=None)
    decided_by: Mapped[str | None] = mapped_column(String(256), default=None)
    reason: Mapped[str] = mapped_column(default="")
    twin_rollout: Mapped[str | None] = mapped_column(String(64), default=None)
    twin_report: Mapped[str | None] = mapped_column(String(71), default=None)

    def value(self) -> ModelVersion:
        """The row as it travels."""
        return msgspec.structs.replace(
            self.registered,
            state=ModelState(self.state),
            decided_at=self.decided_at,
            decided_by=self.decided_by,
            reason=self.reason,
            twin_rollout=self.twin_rollout,
            twin_report=self.twin_report,
        )


class ModelMoveRow(Base):
    """One row of a model version's history."""

    __tablename__ = "model_moves"
    __table_args__ = (Index("ix_model_moves_name_version", "name", "version"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    at: Mapped[str] = mapped_column(String(32))
    current: Mapped[str] = mapped_column(String(24))
    wanted: Mapped[str] = mapped_column(String(24))
    why: Mapped[str]
    actor: Mapped[str] = mapped_column(String(256), default="")

    def value(self) -> Moved:
        """The row as it travels."""
        return Moved(at=self.at, current=self.current, wanted=self.wanted, why=self.why)


class AliasRow(Base):
    """Which version a name points at."""

    __tablename__ = "model_aliases"

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    alias: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[int]
    at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))
    why: Mapped[str]


class AliasMoveRow(Base):
    """One row of an alias's history."""

    __tablename__ = "model_alias_moves"
    __table_args__ = (Index("ix_model_alias_moves_model_alias", "model", "alias"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(64))
    alias: Mapped[str] = mapped_column(String(63))
    at: Mapped[str] = mapped_column(String(32))
    before: Mapped[int | None]
    version: Mapped[int | None]
    by: Mapped[str] = mapped_column(String(256))
    why: Mapped[str]

    def value(self) -> AliasMove:
        """The row as it travels."""
        return AliasMove(at=self.at, before=self.before, version=self.version, by=self.by, why=self.why)


class CardEditRow(Base):
    """The notes of a model card, as they were from one revision on; the newest revision counts."""

    __tablename__ = "model_card_edits"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))
    why: Mapped[str]
    notes: Mapped[str]

    def value(self) -> CardEdit:
        """The row as it travels."""
        return CardEdit(revision=self.revision, at=self.at, by=self.by, why=self.why, notes=self.notes)


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which versions are asked for: of one model, with `q` in its name, in one of some states, made from a dataset
    version. All that is given must hold."""

    name: str = ""
    q: str = ""
    states: tuple[ModelState, ...] = ()
    dataset: str = ""

    def of(self, query: Select[Any]) -> Select[Any]:
        """A query narrowed to them."""
        if self.name:
            query = query.where(ModelRow.name == self.name)
        if self.q:
            query = query.where(func.lower(ModelRow.name).contains(self.q.lower(), autoescape=True))
        if self.states:
            query = query.where(ModelRow.state.in_([state.value for state in self.states]))
        return query.where(ModelRow.dataset == self.dataset) if self.dataset else query


def by_content(session: Session, content: str) -> ModelRow | None:
    """The version with this content."""
    return session.scalar(select(ModelRow).where(ModelRow.content == content))


def by_label(session: Session, name: str, version: int) -> ModelRow | None:
    """One version of a model."""
    if version >= 2**63:  # no database counts that far
        return None
    return session.scalar(select(ModelRow).where(ModelRow.name == name, ModelRow.version == version))


def newest_first(session: Session, state: ModelState | None = None) -> list[ModelRow]:
    """All versions, or those in one state."""
    query = select(ModelRow).order_by(ModelRow.number.desc())
    return list(session.scalars(query if state is None else query.where(ModelRow.state == state.value)))


def a_page(session: Session, wanted: Filter, before: int | None, limit: int) -> tuple[list[ModelRow], int, int | None]:
    """Versions that arrived before a number, newest first; how many there are in all; where the next page begins."""
    query = wanted.of(select(ModelRow)).order_by(ModelRow.number.desc()).limit(limit + 1)
    found = list(session.scalars(query if before is None else query.where(ModelRow.number < before)))
    total = session.scalar(wanted.of(select(func.count()).select_from(ModelRow))) or 0
    return found[:limit], total, found[limit - 1].number if len(found) > limit else None


def newest(
    session: Session, name: str, state: ModelState | None = None, without: Sequence[ModelState] = ()
) -> ModelRow | None:
    """The version of a model with the highest number, of those in one state, and of those in none of some."""
    query = select(ModelRow).where(ModelRow.name == name).order_by(ModelRow.version.desc()).limit(1)
    if without:
        query = query.where(ModelRow.state.not_in([one.value for one in without]))
    return session.scalar(query if state is None else query.where(ModelRow.state == state.value))


def names(session: Session) -> list[str]:
    """Every name that some version has."""
    return list(session.scalars(select(ModelRow.name).distinct().order_by(ModelRow.name)))


def count_by_state(session: Session) -> dict[ModelState, int]:
    """How many versions there are, by state."""
    query = select(ModelRow.state, func.count()).group_by(ModelRow.state)
    return {ModelState(state): count for state, count in session.execute(query)}


def count_tested(session: Session) -> int:
    """How many versions were given to twins."""
    return session.scalar(select(func.count()).where(ModelRow.twin_rollout.is_not(None))) or 0


def next_version(session: Session, name: str) -> int:
    """The number the next version of a model gets, from 1."""
    return (session.scalar(select(func.max(ModelRow.version)).where(ModelRow.name == name)) or 0) + 1


def compare_and_set(session: Session, row: ModelRow, current: ModelState, wanted: ModelState, **fields: Any) -> bool:
    """Move a version unless somebody moved it meanwhile; whether it was moved."""
    change = update(ModelRow).where(ModelRow.number == row.number, ModelRow.state == current.value)
    change = change.values(state=wanted.value, **fields).execution_options(synchronize_session="fetch")
    return cast("CursorResult[Any]", session.execute(change)).rowcount == 1


def history(session: Session, name: str, version: int) -> tuple[Moved, ...]:
    """Every move of a version, oldest first."""
    query = select(ModelMoveRow).where(ModelMoveRow.name == name, ModelMoveRow.version == version)
    return tuple(row.value() for row in session.scalars(query.order_by(ModelMoveRow.id)))


def alias_of(session: Session, model: str, alias: str) -> AliasRow | None:
    """Where an alias that people set points."""
    return session.get(AliasRow, (model, alias))


def aliases(session: Session, models: Sequence[str]) -> list[AliasRow]:
    """The aliases that people set on some models, by name."""
    query = select(AliasRow).where(AliasRow.model.in_(models)).order_by(AliasRow.model, AliasRow.alias)
    return list(session.scalars(query))


def alias_history(session: Session, model: str, alias: str, before: int | None, limit: int) -> AliasHistory:
    """A page of the moves of an alias, newest first."""
    query = select(AliasMoveRow).where(AliasMoveRow.model == model, AliasMoveRow.alias == alias)
    rows, total = _newest(session, query, AliasMoveRow.id, before, limit)
    more = rows[limit - 1].id if len(rows) > limit else None
    return AliasHistory(moves=tuple(row.value() for row in rows[:limit]), total=total, next=more)


def card_edits(session: Session, name: str, version: int, before: int | None, limit: int) -> CardHistory:
    """A page of the revisions of a card's notes, newest first."""
    query = select(CardEditRow).where(CardEditRow.name == name, CardEditRow.version == version)
    rows, total = _newest(session, query, CardEditRow.revision, before, limit)
    more = rows[limit - 1].revision if len(rows) > limit else None
    return CardHistory(edits=tuple(row.value() for row in rows[:limit]), total=total, next=more)


def _newest(
    session: Session, query: Select[Any], number: Any, before: int | None, limit: int
) -> tuple[Sequence[Any], int]:
    """The newest rows by their number, those before a number, one over the limit; and how many there are in all."""
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    query = query if before is None else query.where(number < before)
    return session.scalars(query.order_by(number.desc()).limit(limit + 1)).all(), total


def newest_card_edit(session: Session, name: str, version: int) -> CardEdit | None:
    """The notes of a card as they are now."""
    query = select(CardEditRow).where(CardEditRow.name == name, CardEditRow.version == version)
    row = session.scalar(query.order_by(CardEditRow.revision.desc()).limit(1))
    return None if row is None else row.value()
