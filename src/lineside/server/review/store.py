"""Tables of the review room. Each capture has a row that says where it stands, so that a page or a queue is cut by an
index and never counted: how many stand where is kept in rows that change with them."""

from __future__ import annotations

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from lineside.contract.dataset import Box
from lineside.contract.review import ReviewPolicy, ReviewRule
from lineside.server.database import BIG, Base, Json

_INDEXED = ("state", "strategy"), ("state", "device"), ("state", "model"), ("state", "device", "strategy")


class ItemRow(Base):
    """A capture in review. `turn` orders the queue, the highest first: milliseconds of the upload of the first of its
    near-duplicates; what was skipped is below zero. `model` and `version` made its predictions."""

    __tablename__ = "review_items"
    __table_args__ = (
        Index("ix_review_items_queue", "state", "turn", "capture"),
        *(Index("ix_review_items_" + "_".join(c[1:]), *c, "turn", "capture") for c in _INDEXED),
        Index("ix_review_items_second", "state", "first_by", "turn", "capture"),
        Index("ix_review_items_reviewed", "strategy", "reviewed_at"),
        Index("ix_review_items_reviewed_at", "reviewed_at"),
        Index("ix_review_items_unused", "state", "dataset", "reviewed_at"),
        Index("ix_review_items_seen", "device", "arrival"),
    )

    capture: Mapped[str] = mapped_column(String(64), primary_key=True)
    device: Mapped[str] = mapped_column(String(64))
    strategy: Mapped[str] = mapped_column(String(32))
    model: Mapped[str] = mapped_column(String(128))  # "" where no model looked
    version: Mapped[int]
    digest: Mapped[str] = mapped_column(String(71), index=True)
    width: Mapped[int]
    height: Mapped[int]
    alike: Mapped[str] = mapped_column(String(64), index=True)
    arrival: Mapped[int] = mapped_column(BIG)  # milliseconds of its own upload
    turn: Mapped[int] = mapped_column(BIG)
    state: Mapped[str] = mapped_column(String(12))
    first_by: Mapped[str] = mapped_column(String(256), default="")  # who has answered, while a second one is waited for
    labels: Mapped[tuple[Box, ...] | None] = mapped_column(Json(tuple[Box, ...]), default=None)
    people: Mapped[tuple[str, ...]] = mapped_column(Json(tuple[str, ...]), default=())
    reviewed_at: Mapped[str | None] = mapped_column(String(32), default=None)
    dataset: Mapped[str | None] = mapped_column(String(64), default=None)


class AnswerRow(Base):
    """What a person said; `undone` when they took it back. `before` and `turn`: where the capture stood until then."""

    __tablename__ = "review_answers"
    __table_args__ = (
        Index("ix_review_answers_person", "person", "undone", "number"),
        Index("ix_review_answers_capture", "capture", "number"),
        Index("ix_review_answers_at", "at"),
    )

    number: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    capture: Mapped[str] = mapped_column(String(64))
    person: Mapped[str] = mapped_column(String(256))
    at: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(12))
    boxes: Mapped[tuple[Box, ...]] = mapped_column(Json(tuple[Box, ...]))
    seconds: Mapped[float]
    tool: Mapped[str] = mapped_column(String(32))
    before: Mapped[str] = mapped_column(String(12))
    turn: Mapped[int] = mapped_column(BIG)
    undone: Mapped[bool] = mapped_column(default=False)


class LeaseRow(Base):
    """A capture that a person has before them until a time."""

    __tablename__ = "review_leases"
    __table_args__ = (Index("ix_review_leases_person", "person", "until"), Index("ix_review_leases_until", "until"))

    capture: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(String(256), primary_key=True)
    until: Mapped[str] = mapped_column(String(32))


class TallyRow(Base):
    """How many answers of a kind a person gave on a day, and how long they looked."""

    __tablename__ = "review_tallies"

    person: Mapped[str] = mapped_column(String(256), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    answers: Mapped[int] = mapped_column(BIG)
    seconds: Mapped[float]


class StandingRow(Base):
    """How many captures are in a state."""

    __tablename__ = "review_standing"

    state: Mapped[str] = mapped_column(String(12), primary_key=True)
    items: Mapped[int] = mapped_column(BIG)


class PolicyRow(Base):
    """The policy, in one row; and how far captures were taken in."""

    __tablename__ = "review_policy"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    policy: Mapped[ReviewPolicy] = mapped_column(Json(ReviewPolicy))
    taken_in: Mapped[str] = mapped_column(String(32), default="")  # uploads up to this time


class RuleRow(Base):
    """A rule that makes dataset versions."""

    __tablename__ = "review_rules"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    rule: Mapped[ReviewRule] = mapped_column(Json(ReviewRule))
