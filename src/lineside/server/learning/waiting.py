"""What a loop waits for, and whether it may begin a run now: said the same way to people and to the loop itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from lineside.contract.loop import needing_new_data, series_of
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.learning.signals import Signals, signs
from lineside.server.learning.store import LoopRow, begun_by
from lineside.server.runs.store import at_work_for


class Waiting(NamedTuple):
    """`due` is what a run would begin for now, `held_up` what keeps it from that, `missing` what triggers wait for."""

    due: str | None
    held_up: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def starts_for(self) -> str | None:
        """What a run begins for now."""
        return None if self.held_up else self.due

    @property
    def said(self) -> tuple[str, ...]:
        """What is missing until a run begins, a sentence each."""
        return (*self.missing, *(self.held_up if self.due or self.missing else ()))

    @staticmethod
    def of(session: Session, row: LoopRow, signals: Signals, newest: str | None, now: datetime) -> Waiting:
        """`newest`: the newest version of its dataset."""
        held_up, document = tuple(_held_up(session, row, now)), row.document
        if not any(wanted for _, wanted in needing_new_data(document.triggers)):
            return Waiting(row.due, held_up, ())
        found = list(signs(session, signals, document, row.started_at or row.created_at))
        held = next((sign.said for sign in found if sign.holds), None)
        missing = tuple(sign.said for sign in found if not sign.holds)
        if held is not None and newest is not None and newest == row.trained_dataset:
            old = f"{held}; a version of {series_of(document)} that is newer than {newest}"
            return Waiting(row.due, held_up, (old, *missing))
        return Waiting(row.due or held, held_up, missing)


def by_loop(name: str) -> str:
    """Who begins the runs that nobody asks for by hand."""
    return f"loop {name}"


def _held_up(session: Session, row: LoopRow, now: datetime) -> Iterator[str]:
    """One run of a loop at a time, whoever began it; none while it cools down, or when the month's are spent."""
    busy = at_work_for(session, row.name)
    if busy is not None:
        yield f"{busy} has to end"
    if row.started_at is not None:
        cool = parse_rfc3339(row.started_at) + timedelta(minutes=row.document.cooldown_minutes)
        if cool > now:
            yield f"it cools down until {rfc3339(cool)[:16]}Z"
    most = row.document.runs_per_month
    if most is not None:
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        begun = begun_by(session, row.name, by_loop(row.name), rfc3339(month))
        if begun >= most:
            following = (month + timedelta(days=32)).replace(day=1)
            yield f"it began {begun} of {most} runs this month: the next may begin on {rfc3339(following)[:10]}"
