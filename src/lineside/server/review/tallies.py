"""Numbers that change with what they count, so that nobody counts a million rows."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from lineside.contract.review import AnswerKind, ReviewState, Throughput
from lineside.server.review.store import AnswerRow, StandingRow, TallyRow


def moved(session: Session, before: ReviewState | None, after: ReviewState, items: int = 1) -> None:
    """So many captures have come from one state (or from outside) to another."""
    if before is after or not items:
        return
    for state, change in ((before, -items), (after, items)):
        if state is None:
            continue
        where = update(StandingRow).where(StandingRow.state == state.value)
        done = session.execute(where.values(items=StandingRow.items + change).returning(StandingRow.state))
        if done.first() is None:
            session.add(StandingRow(state=state.value, items=change))
            session.flush()


def standing(session: Session) -> dict[str, int]:
    """How many captures are in each state."""
    found: Mapping[str, int] = {row.state: row.items for row in session.scalars(select(StandingRow))}
    return {state.value: found.get(state.value, 0) for state in ReviewState}


def tally(session: Session, person: str, at: str, kind: AnswerKind, answers: int, seconds: float) -> None:
    """Somebody answered (1), or took an answer back (-1), on the day of `at`."""
    row = session.get(TallyRow, (person, at[:10], kind.value))
    if row is None:
        row = TallyRow(person=person, day=at[:10], kind=kind.value, answers=0, seconds=0.0)
        session.add(row)
    row.answers += answers
    row.seconds = max(0.0, row.seconds + answers * seconds)
    session.flush()


def people(session: Session) -> list[str]:
    """Everybody who ever answered."""
    return list(session.scalars(select(TallyRow.person).distinct().order_by(TallyRow.person)))


def throughput(session: Session, since: str) -> tuple[Throughput, ...]:
    """Answers by person and day, from a day on, the newest first."""
    rows = session.scalars(select(TallyRow).where(TallyRow.day >= since).order_by(TallyRow.day.desc(), TallyRow.person))
    found: dict[tuple[str, str], Throughput] = {}
    for row in rows:
        before = found.get((row.day, row.person)) or Throughput(person=row.person, day=row.day, answers={})
        kinds = before.answers | ({row.kind: row.answers} if row.answers else {})
        seconds = round(before.seconds + row.seconds, 1)
        found[row.day, row.person] = Throughput(person=row.person, day=row.day, answers=kinds, seconds=seconds)
    return tuple(one for one in found.values() if one.answers)


def answered_since(session: Session, at: str) -> dict[str, int]:
    """Answers that stand, by person, since a time not long ago."""
    query = select(AnswerRow.person, func.count()).where(AnswerRow.at > at, AnswerRow.undone.is_(False))
    return {row[0]: row[1] for row in session.execute(query.group_by(AnswerRow.person).order_by(AnswerRow.person))}
