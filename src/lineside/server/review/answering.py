"""Answers: what they do to where a capture stands, and taking the last one back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lineside.contract.dataset import Box
from lineside.contract.errors import LinesideError
from lineside.contract.review import AnswerKind, ReviewPolicy, ReviewState
from lineside.server.clock import rfc3339
from lineside.server.review import queue, tallies
from lineside.server.review.agreement import agree
from lineside.server.review.store import AnswerRow, ItemRow

_SETTLES = (AnswerKind.ACCEPT, AnswerKind.CORRECT, AnswerKind.NOTHING)
_LONGEST_S = 3600.0  # that one look at a picture counts


@dataclass(frozen=True, kw_only=True)
class Given:
    """An answer as it is stored: who gave it, when, with which tool, and the boxes it comes to."""

    person: str
    at: datetime
    kind: AnswerKind
    boxes: tuple[Box, ...]
    seconds: float
    tool: str


def answer(session: Session, item: ItemRow, given: Given, policy: ReviewPolicy) -> None:
    """Store an answer, and move the capture on. Raises `review.answered`, `review.leased`, `review.yours_already`."""
    before = ReviewState(item.state)
    _check(session, item, before, given, policy)
    seconds = min(max(given.seconds, 0.0), _LONGEST_S)
    row = AnswerRow(
        number=(session.scalar(select(func.max(AnswerRow.number))) or 0) + 1,
        capture=item.capture,
        person=given.person,
        at=rfc3339(given.at),
        kind=given.kind.value,
        boxes=given.boxes,
        seconds=seconds,
        tool=given.tool,
        before=item.state,
        turn=item.turn,
    )
    _move(session, item, before, given, policy)
    session.add(row)
    queue.give_back(session, item.capture, given.person)
    tallies.tally(session, given.person, rfc3339(given.at), given.kind, 1, seconds)
    tallies.moved(session, before, ReviewState(item.state))


def undo(session: Session, person: str) -> ItemRow:
    """Take a person's last answer back. Raises `review.nothing_to_undo`, and `review.not_last` where somebody else has
    answered on the same capture since."""
    query = select(AnswerRow).where(AnswerRow.person == person, AnswerRow.undone.is_(False))
    row = session.scalar(query.order_by(AnswerRow.number.desc()).limit(1))
    item = session.get(ItemRow, row.capture) if row is not None else None
    if row is None or item is None:
        raise LinesideError("review.nothing_to_undo", person=person)
    stands = answers_of(session, item.capture)
    if stands[-1].number != row.number:
        raise LinesideError("review.not_last", capture=item.capture, other=stands[-1].person)
    row.undone = True
    now = ReviewState(item.state)
    item.state, item.turn = row.before, row.turn
    item.labels, item.people, item.reviewed_at, item.dataset = None, (), None, None
    item.first_by = _first(stands[:-1]) if row.before == ReviewState.SECOND.value else ""
    session.flush()
    tallies.tally(session, person, row.at, AnswerKind(row.kind), -1, row.seconds)
    tallies.moved(session, now, ReviewState(item.state))
    return item


def answers_of(session: Session, capture: str) -> Sequence[AnswerRow]:
    """The answers on a capture that stand, in the order they came in."""
    query = select(AnswerRow).where(AnswerRow.capture == capture, AnswerRow.undone.is_(False))
    return session.scalars(query.order_by(AnswerRow.number)).all()


def _check(session: Session, item: ItemRow, before: ReviewState, given: Given, policy: ReviewPolicy) -> None:
    if before in (ReviewState.REVIEWED, ReviewState.UNREADABLE):
        raise LinesideError("review.answered", capture=item.capture, standing=before.value)
    if before is ReviewState.SECOND and item.first_by == given.person:
        raise LinesideError("review.yours_already", capture=item.capture)
    if not queue.may_answer(session, given.person, item, policy.people, rfc3339(given.at)):
        raise LinesideError("review.leased", capture=item.capture)


def _move(session: Session, item: ItemRow, before: ReviewState, given: Given, policy: ReviewPolicy) -> None:
    if given.kind is AnswerKind.SKIP:
        item.turn = -int(given.at.timestamp() * 1000)
    elif given.kind is AnswerKind.UNSURE:
        item.state, item.first_by = ReviewState.UNSURE.value, ""
    elif before in (ReviewState.WAITING, ReviewState.UNSURE) and policy.people > 1:
        item.state, item.first_by = ReviewState.SECOND.value, given.person
    elif before is ReviewState.SECOND and not _agrees(session, item, given, policy):
        item.state, item.first_by = ReviewState.DISPUTED.value, ""
    else:
        item.people = (item.first_by, given.person) if item.first_by else (given.person,)
        item.state, item.first_by = ReviewState.REVIEWED.value, ""
        item.labels, item.reviewed_at = given.boxes, rfc3339(given.at)
    session.flush()


def _agrees(session: Session, item: ItemRow, given: Given, policy: ReviewPolicy) -> bool:
    earlier = [row for row in answers_of(session, item.capture) if AnswerKind(row.kind) in _SETTLES]
    return bool(earlier) and agree(earlier[-1].boxes, given.boxes, policy.agree_iou)


def _first(earlier: Sequence[AnswerRow]) -> str:
    return next((row.person for row in reversed(earlier) if AnswerKind(row.kind) in _SETTLES), "")
