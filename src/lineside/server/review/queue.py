"""The queue: which captures a person is given next, and leases, so that nobody else is given them meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, delete, func, select, tuple_
from sqlalchemy.orm import Session

from lineside.contract.review import ReviewState
from lineside.server.database.hidden import hidden
from lineside.server.database.upserts import upsert
from lineside.server.review.store import ItemRow, LeaseRow
from lineside.server.review.tallies import people as everybody


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which captures are asked for; what is None does not matter."""

    strategy: str | None = None
    device: str | None = None
    model: str | None = None

    def conditions(self, *, found: bool = False) -> list[ColumnElement[bool]]:
        """As SQL; `found`: for captures that something else finds."""
        asked = ((ItemRow.strategy, self.strategy), (ItemRow.device, self.device), (ItemRow.model, self.model))
        return [(hidden(column) if found else column) == value for column, value in asked if value is not None]


def page(
    session: Session, where: ReviewState, wanted: Wanted, after: tuple[int, str] | None, limit: int
) -> Sequence[ItemRow]:
    """Captures in a state, the one whose turn is next first, after one that was seen."""
    query = _in_turn(where, wanted)
    if after is not None:
        query = query.where(tuple_(ItemRow.turn, ItemRow.capture) < after)
    return session.scalars(query.limit(limit)).all()


def lease(session: Session, person: str, wanted: Wanted, count: int, seats: int, now: str, until: str) -> list[ItemRow]:
    """Give a person captures until a time: what they have already, then new ones, then what somebody else has answered
    and a second person shall. `seats`: how many may have a capture that nobody has answered yet."""
    session.execute(delete(LeaseRow).where(LeaseRow.until <= now))
    found = _held(session, person, wanted, count)
    if len(found) < count:
        found += _free(session, _in_turn(ReviewState.WAITING, wanted), person, seats, count - len(found))
    if len(found) < count:
        found += _seconds(session, person, wanted, count - len(found))
    leases = [{"capture": item.capture, "person": person, "until": until} for item in found]
    upsert(session, LeaseRow, leases)
    return found


def may_answer(session: Session, person: str, item: ItemRow, seats: int, now: str) -> bool:
    """Whether a person has a capture before them, or nobody else has taken its last place."""
    rows = select(LeaseRow.person).where(LeaseRow.capture == item.capture, LeaseRow.until > now)
    holders = set(session.scalars(rows))
    free = seats if item.state == ReviewState.WAITING.value else 1
    return person in holders or len(holders) < free


def give_back(session: Session, capture: str, person: str | None = None) -> None:
    """End a lease, or all leases of a capture."""
    where = LeaseRow.capture == capture
    session.execute(delete(LeaseRow).where(where if person is None else where & (LeaseRow.person == person)))


def _in_turn(where: ReviewState, wanted: Wanted) -> Select[ItemRow]:
    query = select(ItemRow).where(ItemRow.state == where.value, *wanted.conditions())
    return query.order_by(ItemRow.turn.desc(), ItemRow.capture.desc())


def _held(session: Session, person: str, wanted: Wanted, count: int) -> list[ItemRow]:
    """Found by the person's leases, which are few, and not among the many that wait."""
    states = (ReviewState.WAITING.value, ReviewState.SECOND.value)
    query = select(ItemRow).join(LeaseRow, LeaseRow.capture == ItemRow.capture)
    query = query.where(LeaseRow.person == person, hidden(ItemRow.state).in_(states), *wanted.conditions(found=True))
    return list(session.scalars(query.order_by(ItemRow.turn.desc(), ItemRow.capture.desc()).limit(count)))


def _free(session: Session, query: Select[ItemRow], person: str, seats: int, count: int) -> list[ItemRow]:
    leases = select(func.count()).select_from(LeaseRow).where(LeaseRow.capture == ItemRow.capture)
    taken = leases.correlate(ItemRow).scalar_subquery()
    mine = leases.where(LeaseRow.person == person).correlate(ItemRow).scalar_subquery()
    return list(session.scalars(query.where(taken < seats, mine == 0).limit(count)))


def _seconds(session: Session, person: str, wanted: Wanted, count: int) -> list[ItemRow]:
    """By who answered first: what a person has answered themselves is not even looked at."""
    found: list[ItemRow] = []
    for other in everybody(session):
        if other != person:
            query = _in_turn(ReviewState.SECOND, wanted).where(ItemRow.first_by == other)
            found += _free(session, query, person, 1, count)
    return sorted(found, key=lambda item: (-item.turn, item.capture))[:count]
