"""Captures come into review once they are uploaded: looked at, told from near-duplicates, and put into the queue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.contract.review import ReviewPolicy, ReviewState
from lineside.server.captures.store import CaptureRow
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.datasets.pictures.looks import Look, Looks, patches
from lineside.server.review import tallies
from lineside.server.review.alike import lately, like
from lineside.server.review.store import ItemRow, PolicyRow
from lineside.server.services import Core

_AT_ONCE = 100  # captures in one transaction
_STEPS = 10  # of them in one step
_AGAIN = timedelta(minutes=10)  # how far the clocks of control planes may be apart


class Intake:
    """Takes captures in, in the order they were uploaded; one that came to the table late is found all the same."""

    def __init__(self, core: Core, looks: Looks) -> None:
        self._core, self._looks = core, looks

    def step(self) -> int:
        """Take in what waits, a thousand at most; how many that were. Safe to repeat."""
        taken = 0
        for _ in range(_STEPS):
            rows = self._waiting()
            if not rows:
                break
            taken += self._take(rows)
        return taken

    def _waiting(self) -> Sequence[CaptureRow]:
        with self._core.database.read() as session:
            policy = session.get(PolicyRow, 1)
            since = policy.taken_in if policy is not None else ""
            since = rfc3339(parse_rfc3339(since) - _AGAIN) if since else ""
            query = select(CaptureRow).outerjoin(ItemRow, ItemRow.capture == CaptureRow.id)
            query = query.where(CaptureRow.uploaded_at >= since, ItemRow.capture.is_(None))
            return session.scalars(query.order_by(CaptureRow.uploaded_at, CaptureRow.id).limit(_AT_ONCE)).all()

    def _take(self, rows: Sequence[CaptureRow]) -> int:
        digests = [row.record.digest for row in rows if self._core.objects.exists(row.record.digest)]
        looks = self._looks.of(digests)
        with self._core.database.write() as session:
            first = self._alike(session, rows, looks)
            items = [_item(row, looks.get(row.record.digest), first[row.id]) for row in rows]
            items = [item for item in items if session.get(ItemRow, item.capture) is None]
            turns = {item.capture: item.turn for item in items}
            for item in items:  # near-duplicates follow one another
                leader = session.get(ItemRow, item.alike)
                item.turn = turns.get(item.alike, leader.arrival if leader is not None else item.turn)
            session.add_all(items)
            session.flush()
            for where in (ReviewState.WAITING, ReviewState.UNREADABLE):
                tallies.moved(session, None, where, sum(item.state == where.value for item in items))
            _taken_in(session, rows[-1].uploaded_at or "")
        return len(items)

    def _alike(self, session: Session, rows: Sequence[CaptureRow], looks: Mapping[str, Look]) -> dict[str, str]:
        first = {row.id: row.id for row in rows}
        seen = patches(session, [row.record.digest for row in rows])
        by_device: dict[str, list[CaptureRow]] = defaultdict(list)
        for row in rows:
            if row.record.digest in looks and row.record.digest in seen:
                by_device[row.device].append(row)
        for device, some in by_device.items():
            earlier = [(alike, patch) for _, alike, patch in lately(session, device)]
            new = [(row.id, seen[row.record.digest]) for row in some]
            first |= dict(zip((row.id for row in some), like(earlier, new), strict=True))
        return first


def _item(row: CaptureRow, look: Look | None, first: str) -> ItemRow:
    result = row.record.result
    arrival = int(parse_rfc3339(row.uploaded_at or row.requested_at).timestamp() * 1000)
    return ItemRow(
        capture=row.id,
        device=row.device,
        strategy=row.strategy,
        model=result.model if result is not None else "",
        version=result.version if result is not None else 0,
        digest=row.record.digest,
        width=look.width if look is not None else 0,
        height=look.height if look is not None else 0,
        alike=first,
        arrival=arrival,
        turn=arrival,
        state=(ReviewState.WAITING if look is not None else ReviewState.UNREADABLE).value,
        first_by="",
        people=(),
    )


def _taken_in(session: Session, until: str) -> None:
    row = session.get(PolicyRow, 1)
    if row is None:
        session.add(PolicyRow(id=1, policy=ReviewPolicy(), taken_in=until))
    else:
        row.taken_in = max(row.taken_in, until)
