"""Tables of the models room and their queries."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from sqlalchemy import CursorResult, Index, String, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.moves import Moved
from lineside.server.database import Base, Json


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
