"""Tables and queries of the twins room."""

from __future__ import annotations

from sqlalchemy import Enum, ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.approval import TwinOutcome
from lineside.contract.deployment import ComponentSpec
from lineside.contract.moves import Moved
from lineside.contract.twin import ENDED, StageResult, TwinState, TwinTest
from lineside.server.database import Base, Json

_STATE = Enum(TwinState, native_enum=False, length=16, values_callable=lambda kind: [one.value for one in kind])


class TwinTestRow(Base):
    """Where a twin test stands; every change compares and sets `revision`."""

    __tablename__ = "twin_tests"
    __table_args__ = (Index("ix_twin_tests_model", "model"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(80))
    state: Mapped[TwinState] = mapped_column(_STATE, index=True)
    twins: Mapped[tuple[str, ...]] = mapped_column(Json(tuple[str, ...]))
    before: Mapped[dict[str, ComponentSpec]] = mapped_column(Json(dict[str, ComponentSpec]))
    wanted: Mapped[dict[str, ComponentSpec]] = mapped_column(Json(dict[str, ComponentSpec]))
    rollout: Mapped[str] = mapped_column(String(64), default="")
    stages: Mapped[tuple[StageResult, ...]] = mapped_column(Json(tuple[StageResult, ...]), default=())
    outcomes: Mapped[dict[str, TwinOutcome]] = mapped_column(Json(dict[str, TwinOutcome]))
    restarts: Mapped[dict[str, int]] = mapped_column(Json(dict[str, int]))
    asked: Mapped[dict[str, str]] = mapped_column(Json(dict[str, str]))  # twin ► inquiry
    entered_at: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[str] = mapped_column(String(32))
    finished_at: Mapped[str | None] = mapped_column(String(32), default=None)
    report: Mapped[str | None] = mapped_column(String(71), default=None)
    revision: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": revision}

    @property
    def id(self) -> str:
        return f"twin-test-{self.number}"


class TwinTestMoveRow(Base):
    """A move of a twin test, written in the transaction that made it."""

    __tablename__ = "twin_test_moves"
    __table_args__ = (Index("ix_twin_test_moves_test", "test", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    test: Mapped[int] = mapped_column(ForeignKey("twin_tests.number"))
    at: Mapped[str] = mapped_column(String(32))
    current: Mapped[str] = mapped_column(String(16))
    wanted: Mapped[str] = mapped_column(String(16))
    why: Mapped[str]


def open_tests(session: Session) -> list[TwinTestRow]:
    """Tests under way, oldest first."""
    query = select(TwinTestRow).where(TwinTestRow.state.not_in(ENDED))
    return list(session.scalars(query.order_by(TwinTestRow.number)))


def newest_of(session: Session, model: str) -> TwinTestRow | None:
    """The newest test of a model version (name:version)."""
    query = select(TwinTestRow).where(TwinTestRow.model == model).order_by(TwinTestRow.number.desc())
    return session.scalars(query.limit(1)).first()


def value_of(session: Session, row: TwinTestRow) -> TwinTest:
    """A test with its history, as it travels."""
    moves = select(TwinTestMoveRow).where(TwinTestMoveRow.test == row.number).order_by(TwinTestMoveRow.id)
    history = (Moved(at=one.at, current=one.current, wanted=one.wanted, why=one.why) for one in session.scalars(moves))
    return TwinTest(
        id=row.id,
        model=row.model,
        state=row.state,
        twins=row.twins,
        rollout=row.rollout,
        stages=row.stages,
        history=tuple(history),
        created_at=row.created_at,
        finished_at=row.finished_at,
        report=row.report,
    )
