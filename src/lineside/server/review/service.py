"""What can be done with reviews: take captures from the queue, answer, undo, look at what stands where."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.contract.capture import CaptureRecord
from lineside.contract.counted import counted
from lineside.contract.dataset import Box, LabelKind, LabelSource
from lineside.contract.errors import LinesideError
from lineside.contract.review import (
    Answer,
    AnswerKind,
    Batch,
    NextRequest,
    ReviewItem,
    ReviewPage,
    ReviewPolicy,
    ReviewState,
    ReviewStats,
    Said,
)
from lineside.server.access.caller import current
from lineside.server.captures.store import CaptureRow
from lineside.server.clock import rfc3339
from lineside.server.datasets.pictures.looks import Looks
from lineside.server.review import answering, boxes, queue, tallies
from lineside.server.review.answering import Given
from lineside.server.review.intake import Intake
from lineside.server.review.queue import Wanted
from lineside.server.review.store import ItemRow, LeaseRow, PolicyRow
from lineside.server.services import Core

_DAYS = timedelta(days=14)
_MOST_PEOPLE = 2


class ReviewService:
    """Reviews of captures. Whoever asks (`caller.current`) is the person who reviews."""

    def __init__(self, core: Core, looks: Looks) -> None:
        self._core = core
        self.intake = Intake(core, looks)

    def next(self, request: NextRequest) -> Batch:
        """Lease captures to the caller; what they have leased already comes first, with a new lease."""
        return self.lease(request, None)

    def lease(self, request: NextRequest, length: timedelta | None) -> Batch:
        """As `next`, for so long; None: as long as the policy says."""
        wanted = Wanted(strategy=request.strategy, device=request.device, model=request.model)
        now, person = self._core.clock.now(), current().name
        with self._core.database.write() as session:
            policy = policy_of(session)
            until = rfc3339(now + (length or timedelta(minutes=policy.lease_minutes)))
            rows = queue.lease(session, person, wanted, request.count, policy.people, rfc3339(now), until)
            items = _shown(session, rows, until)
        found = (box.label for item in items for box in item.predicted)
        return Batch(items=items, until=until, classes=tuple(dict.fromkeys((*policy.classes, *sorted(set(found))))))

    def page(self, where: ReviewState, wanted: Wanted, after: str | None, limit: int) -> ReviewPage:
        """Captures in a state, those whose turn is next first. Raises `request.invalid` for another page's `after`."""
        with self._core.database.read() as session:
            rows = queue.page(session, where, wanted, _place(after), limit)
            items = _shown(session, rows)
        last = rows[-1] if len(rows) == limit else None
        return ReviewPage(items=items, after=None if last is None else f"{last.turn}:{last.capture}")

    def get(self, capture: str) -> ReviewItem:
        """One capture with the answers that stand. Raises `request.not_found`."""
        with self._core.database.read() as session:
            return self._item(session, _row(session, capture))

    def has(self, capture: str) -> bool:
        """Whether a capture is in review: it is a moment after it came, if its image can be read."""
        with self._core.database.read() as session:
            return session.get(ItemRow, capture) is not None

    def alike(self, capture: str, limit: int) -> ReviewPage:
        """The near-duplicates of a capture, itself among them, the oldest first. Raises `request.not_found`."""
        with self._core.database.read() as session:
            first = _row(session, capture).alike
            query = select(ItemRow).where(ItemRow.alike == first).order_by(ItemRow.arrival, ItemRow.capture)
            return ReviewPage(items=_shown(session, session.scalars(query.limit(limit)).all()))

    def answer(self, answer: Answer, tool: str = "") -> ReviewItem:
        """Say something about a capture; without a lease, where nobody else has it. Raises `request.not_found`,
        `review.…`."""
        with self._core.database.write() as session:
            row = _row(session, answer.capture)
            self.take_answer(session, row, answer, tool)
            return self._item(session, row)

    def take_answer(
        self, session: Session, row: ItemRow, answer: Answer, tool: str, drawn: LabelSource | None = None
    ) -> None:
        """As `answer`, within a transaction; `drawn` is where boxes come from that the model did not draw."""
        person = current().name
        drawn = drawn or LabelSource(kind=LabelKind.PERSON, by=person, reviewed=True)
        given = Given(
            person=person,
            at=self._core.clock.now(),
            kind=answer.kind,
            boxes=_labels(session, row, answer, drawn),
            seconds=answer.seconds,
            tool=tool,
        )
        answering.answer(session, row, given, policy_of(session))
        why = f"{answer.kind.value}: {counted(len(given.boxes), 'box', 'boxes')}; {row.state}"
        self._core.audit.record(session, "review.answer", row.capture, digest=row.digest, why=why)

    def undo(self) -> ReviewItem:
        """Take the caller's last answer back; they have the capture before them again. Raises
        `review.nothing_to_undo`, `review.not_last`."""
        now, person = self._core.clock.now(), current().name
        with self._core.database.write() as session:
            row = answering.undo(session, person)
            until = rfc3339(now + timedelta(minutes=policy_of(session).lease_minutes))
            session.merge(LeaseRow(capture=row.capture, person=person, until=until))
            self._core.audit.record(session, "review.undo", row.capture, digest=row.digest, why=f"{row.state} again")
            return self._item(session, row, until)

    def stats(self) -> ReviewStats:
        """How many captures stand where, and who answered how many in the last fourteen days and the last hour."""
        now = self._core.clock.now()
        with self._core.database.read() as session:
            return ReviewStats(
                states=tallies.standing(session),
                throughput=tallies.throughput(session, rfc3339(now - _DAYS)[:10]),
                last_hour=tallies.answered_since(session, rfc3339(now - timedelta(hours=1))),
            )

    def policy(self) -> ReviewPolicy:
        """How captures are reviewed."""
        with self._core.database.read() as session:
            return policy_of(session)

    def set_policy(self, policy: ReviewPolicy) -> ReviewPolicy:
        """Change it, for answers from now on. Raises `request.invalid`."""
        if not 1 <= policy.people <= _MOST_PEOPLE:
            raise LinesideError("request.invalid", why=f"1 or {_MOST_PEOPLE} people review a capture")
        if not 0 < policy.agree_iou <= 1 or not 1 <= policy.lease_minutes <= 24 * 60:
            raise LinesideError("request.invalid", why="agree_iou lies in 0..1, a lease lasts 1 to 1440 minutes")
        with self._core.database.write() as session:
            row = session.get(PolicyRow, 1)
            if row is None:
                session.add(PolicyRow(id=1, policy=policy, taken_in=""))
            else:
                row.policy = policy
            people, leases = counted(policy.people, "person", "people"), counted(policy.lease_minutes, "minute")
            said = f"{people}, leases of {leases}, IoU {policy.agree_iou:g}"
            self._core.audit.record(session, "review.policy", "review", why=said)
            self._core.events.record(session, kind="review.policy", subject="review", message=f"Reviews: {said}.")
        return policy

    def _item(self, session: Session, row: ItemRow, until: str | None = None) -> ReviewItem:
        shown = _shown(session, [row], until)[0]
        said = tuple(
            Said(person=one.person, at=one.at, kind=AnswerKind(one.kind), boxes=one.boxes, tool=one.tool)
            for one in answering.answers_of(session, row.capture)
        )
        return replace(shown, answers=said)


def policy_of(session: Session) -> ReviewPolicy:
    """The policy that holds."""
    row = session.get(PolicyRow, 1)
    return row.policy if row is not None else ReviewPolicy()


def _shown(session: Session, rows: Sequence[ItemRow], until: str | None = None) -> tuple[ReviewItem, ...]:
    ids = [row.capture for row in rows]
    found = session.execute(select(CaptureRow.id, CaptureRow.record).where(CaptureRow.id.in_(ids)))
    records: dict[str, CaptureRecord] = {row.id: row.record for row in found}
    return tuple(
        ReviewItem(
            record=records[row.capture],
            state=ReviewState(row.state),
            width=row.width,
            height=row.height,
            alike=row.alike,
            predicted=boxes.predicted(records[row.capture], row.width, row.height),
            labels=row.labels,
            reviewed_at=row.reviewed_at,
            by=row.people,
            dataset=row.dataset,
            lease_until=until,
        )
        for row in rows
        if row.capture in records
    )


def _labels(session: Session, row: ItemRow, answer: Answer, drawn: LabelSource) -> tuple[Box, ...]:
    if answer.boxes and answer.kind is not AnswerKind.CORRECT:
        raise LinesideError("review.boxes_refused", why=f"{answer.kind.value} has none")
    if answer.kind not in (AnswerKind.ACCEPT, AnswerKind.CORRECT):
        return ()
    record = session.scalars(select(CaptureRow.record).where(CaptureRow.id == row.capture)).one()
    expected = boxes.predicted(record, row.width, row.height)
    if answer.kind is AnswerKind.CORRECT:
        return boxes.given(answer.boxes, expected, row.width, row.height, drawn)
    if record.result is None:
        raise LinesideError("review.nothing_predicted", capture=row.capture)
    return boxes.agreed(expected)


def _row(session: Session, capture: str) -> ItemRow:
    row = session.get(ItemRow, capture)
    if row is None:
        raise LinesideError("request.not_found", what="capture in review", name=capture)
    return row


def _place(after: str | None) -> tuple[int, str] | None:
    if after is None:
        return None
    turn, _, capture = after.partition(":")
    try:
        return int(turn), capture
    except ValueError:
        raise LinesideError("request.invalid", why="`after` comes from the page before") from None
