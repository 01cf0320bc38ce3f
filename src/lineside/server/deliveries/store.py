"""Tables and queries of the deliveries room."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Enum, ForeignKey, Index, String, cast, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.delivery import OPEN, Delivery, DeliveryHook, DeliveryRule, DeliveryState
from lineside.contract.model import ModelState
from lineside.contract.moves import Moved
from lineside.contract.rollout import RolloutPlan
from lineside.server.database import Base, Json
from lineside.server.models.store import ModelRow
from lineside.server.secrets.model import Kept

_STATE = Enum(DeliveryState, native_enum=False, length=16, values_callable=lambda kind: [one.value for one in kind])


class DeliveryRow(Base):
    """Where a delivery stands; every change compares and sets `revision`."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_rule_what", "rule", "what"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(160))
    model: Mapped[bool]
    group: Mapped[str] = mapped_column(String(63))
    state: Mapped[DeliveryState] = mapped_column(_STATE, index=True)
    note: Mapped[str]
    cause: Mapped[str] = mapped_column(String(256))
    rule: Mapped[int | None] = mapped_column(default=None)
    plan: Mapped[RolloutPlan | None] = mapped_column(Json(RolloutPlan), default=None)
    deployment: Mapped[str | None] = mapped_column(String(64), default=None)
    rollout: Mapped[str | None] = mapped_column(String(64), default=None)
    created_at: Mapped[str] = mapped_column(String(32))
    finished_at: Mapped[str | None] = mapped_column(String(32), default=None)
    revision: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": revision}

    @property
    def id(self) -> str:
        return f"delivery-{self.number}"

    def value(self, history: Sequence[Moved] = ()) -> Delivery:
        """The row as it travels."""
        return Delivery(
            id=self.id,
            what=self.what,
            model=self.model,
            group=self.group,
            state=self.state,
            note=self.note,
            cause=self.cause,
            plan=self.plan,
            deployment=self.deployment,
            rollout=self.rollout,
            created_at=self.created_at,
            finished_at=self.finished_at,
            history=tuple(history),
        )


class DeliveryMoveRow(Base):
    """A move of a delivery, written in the transaction that made it."""

    __tablename__ = "delivery_moves"
    __table_args__ = (Index("ix_delivery_moves_delivery", "delivery", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery: Mapped[int] = mapped_column(ForeignKey("deliveries.number"))
    at: Mapped[str] = mapped_column(String(32))
    current: Mapped[str] = mapped_column(String(16))
    wanted: Mapped[str] = mapped_column(String(16))
    why: Mapped[str]


class RuleRow(Base):
    """Whenever a version of a model is approved, it is delivered to a group."""

    __tablename__ = "delivery_rules"
    __table_args__ = (
        Index("uq_delivery_rules_model_group", "model", "group", unique=True),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(64))
    group: Mapped[str] = mapped_column(String(63))
    plan: Mapped[RolloutPlan | None] = mapped_column(Json(RolloutPlan), default=None)
    created_at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))

    @property
    def id(self) -> str:
        return f"rule-{self.number}"

    def value(self) -> DeliveryRule:
        """The row as it travels."""
        return DeliveryRule(
            id=self.id, model=self.model, group=self.group, plan=self.plan, created_at=self.created_at, by=self.by
        )


class HookRow(Base):
    """A door through which programs elsewhere start deliveries to one group."""

    __tablename__ = "delivery_hooks"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    group: Mapped[str] = mapped_column(String(63))
    model: Mapped[str | None] = mapped_column(String(64), default=None)
    component: Mapped[str | None] = mapped_column(String(80), default=None)
    plan: Mapped[RolloutPlan | None] = mapped_column(Json(RolloutPlan), default=None)
    secret: Mapped[Kept] = mapped_column(Json(Kept))
    created_at: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(256))

    def value(self) -> DeliveryHook:
        """The row as it travels."""
        return DeliveryHook(
            name=self.name,
            group=self.group,
            model=self.model,
            component=self.component,
            plan=self.plan,
            created_at=self.created_at,
            by=self.by,
        )


class HookMessageRow(Base):
    """A message that was let in. Kept for longer than the same message would be let in again."""

    __tablename__ = "delivery_hook_messages"
    __table_args__ = (Index("ix_delivery_hook_messages_at", "at"),)

    hook: Mapped[str] = mapped_column(String(63), primary_key=True)
    id: Mapped[str] = mapped_column(String(256), primary_key=True)
    at: Mapped[str] = mapped_column(String(32))
    delivery: Mapped[int]


def number_of(id_: str, prefix: str) -> int:
    """The number in an id such as `delivery-3`, or -1."""
    head, _, number = id_.rpartition("-")
    return int(number) if head == prefix and number.isascii() and number.isdigit() and len(number) < 16 else -1


def history(session: Session, number: int) -> tuple[Moved, ...]:
    """Every move of a delivery, oldest first."""
    query = select(DeliveryMoveRow).where(DeliveryMoveRow.delivery == number).order_by(DeliveryMoveRow.id)
    return tuple(
        Moved(at=one.at, current=one.current, wanted=one.wanted, why=one.why) for one in session.scalars(query)
    )


def newest_first(session: Session, before: int | None, limit: int) -> tuple[list[DeliveryRow], int]:
    """At most `limit` deliveries below a number, newest first, and how many there are in all."""
    total = session.scalar(select(func.count()).select_from(DeliveryRow)) or 0
    query = select(DeliveryRow).order_by(DeliveryRow.number.desc()).limit(limit)
    return list(session.scalars(query if before is None else query.where(DeliveryRow.number < before))), total


def open_deliveries(session: Session) -> list[DeliveryRow]:
    """Deliveries with something left to do, oldest first."""
    return list(session.scalars(select(DeliveryRow).where(DeliveryRow.state.in_(OPEN)).order_by(DeliveryRow.number)))


def rules(session: Session) -> list[RuleRow]:
    """All rules, oldest first."""
    return list(session.scalars(select(RuleRow).order_by(RuleRow.number)))


def due(session: Session) -> list[tuple[int, str]]:
    """(rule, NAME:VERSION) of each approved version that a rule has not delivered yet, oldest approval first."""
    label = ModelRow.name + ":" + cast(ModelRow.version, String)
    done = select(DeliveryRow.number).where(DeliveryRow.rule == RuleRow.number, DeliveryRow.what == label)
    query = (
        select(RuleRow.number, ModelRow.name, ModelRow.version)
        .join(ModelRow, ModelRow.name == RuleRow.model)
        .where(
            ModelRow.state == ModelState.APPROVED.value,
            ModelRow.decided_at >= RuleRow.created_at,
            ~done.exists(),
        )
        .order_by(ModelRow.decided_at, RuleRow.number)
    )
    return [(number, f"{name}:{version}") for number, name, version in session.execute(query)]


def hooks(session: Session) -> list[HookRow]:
    """All hooks by name."""
    return list(session.scalars(select(HookRow).order_by(HookRow.name)))


def forget_messages(session: Session, before: str) -> None:
    """Forget messages that were let in before a moment (RFC 3339)."""
    session.execute(delete(HookMessageRow).where(HookMessageRow.at < before))
