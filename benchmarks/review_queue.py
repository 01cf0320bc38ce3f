"""How long the review queue and its lists take with 1,000,000 captures in review (100,000 with --quick).

    python -m benchmarks.review_queue [--quick] [--json] [--database-url URL] [--keep FOLDER]

Rows are written straight into the tables (SQLite, or --database-url): 50 devices, seven strategies, a tenth of them
reviewed. Then each question is asked 20 times through the service behind people's API, as another person each time
where a lease is taken. `--keep FOLDER` keeps the database: leases of earlier runs are ended, their answers stay.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import delete, insert, select

from benchmarks.many_records import MILLISECONDS, arguments, asked, filled, report, told
from benchmarks.measure import finish
from lineside.contract.capture import CaptureRecord
from lineside.contract.people import Permission
from lineside.contract.review import Answer, AnswerKind, NextRequest, ReviewState
from lineside.server.access.caller import Caller, acting
from lineside.server.captures.store import CaptureRow
from lineside.server.datasets.pictures.looks import Looks
from lineside.server.review import tallies
from lineside.server.review.queue import Wanted
from lineside.server.review.service import ReviewService
from lineside.server.review.store import ItemRow, LeaseRow
from lineside.server.services import Core

_STRATEGIES = ("random", "uncertain", "nothing", "class", "shadow", "drift", "requested")
_AT_ONCE, _TIMES, _EXPORTED = 20_000, 20, 5_000


def main() -> int:
    """Fill, ask, print; 1 when something took longer than it may."""
    chosen = arguments(__doc__ or "", "review_queue", 100_000)
    with filled(chosen, _fill) as core:
        with core.database.write() as session:
            session.execute(delete(LeaseRow))
        found = {name: asked(ask, _TIMES) for name, ask in _questions(core, chosen.records).items()}
        _lease_many(core)
        found |= {name: asked(ask, _TIMES) for name, ask in _behind(core).items()}
    print(told(found))
    finish(figures := report(found, chosen.records), as_json=chosen.json)
    return int(float(str(figures["slowest_median_ms"])) > MILLISECONDS)


def _questions(core: Core, count: int) -> dict[str, Callable[[int], object]]:
    reviews = ReviewService(core, Looks(core.database, core.objects))
    middle = f"{count // 2}:c{count // 2:07}"

    def listed(where: ReviewState, after: str | None = None, **wanted: str) -> Callable[[int], object]:
        return lambda number: reviews.page(where, Wanted(**wanted), after, 100)

    def leased(number: int, **wanted: str) -> None:
        with acting(_person(number)):
            batch = reviews.next(NextRequest(count=20, **wanted))
        before[number] = batch.items[0].record.id

    def answered(number: int) -> object:
        with acting(_person(number)):
            return reviews.answer(Answer(capture=before[number], kind=AnswerKind.NOTHING))

    before: dict[int, str] = {}  # the first capture of those that a person has leased
    return {
        "list: waiting, 100": listed(ReviewState.WAITING),
        "list: waiting, in the middle": listed(ReviewState.WAITING, middle),
        "list: a strategy": listed(ReviewState.WAITING, strategy="drift"),
        "list: a device": listed(ReviewState.WAITING, device="cam-7"),
        "list: a device and a strategy": listed(ReviewState.WAITING, device="cam-7", strategy="random"),
        "list: a model": listed(ReviewState.WAITING, model="tags"),
        "list: reviewed": listed(ReviewState.REVIEWED),
        "next 20": leased,
        "an answer": answered,
        "next 20 of a strategy": lambda number: leased(number + _TIMES, strategy="random"),
        "next 20 of a device": lambda number: leased(number + 2 * _TIMES, device="cam-7"),
        "next 20, again": leased,
        "stats": lambda number: reviews.stats(),
    }


def _behind(core: Core) -> dict[str, Callable[[int], object]]:
    """What is asked while another tool has thousands of the newest."""
    reviews = ReviewService(core, Looks(core.database, core.objects))

    def leased(number: int, **wanted: str) -> object:
        with acting(_person(number + 3 * _TIMES)):
            return reviews.next(NextRequest(count=20, **wanted))

    return {
        f"next 20 behind {_EXPORTED:,} leases": leased,
        f"next 20 of a strategy behind {_EXPORTED:,} leases": lambda number: leased(number + _TIMES, strategy="random"),
    }


def _lease_many(core: Core) -> None:
    newest = select(ItemRow.capture).where(ItemRow.state == ReviewState.WAITING.value)
    with core.database.write() as session:
        session.execute(delete(LeaseRow))
        found = session.scalars(newest.order_by(ItemRow.turn.desc(), ItemRow.capture.desc()).limit(_EXPORTED)).all()
        until = "2999-01-01T00:00:00.000Z"
        session.execute(insert(LeaseRow), [{"capture": one, "person": "studio", "until": until} for one in found])


def _person(number: int) -> Caller:
    return Caller(name=f"person-{number}", by="session", permissions=frozenset(Permission))


def _fill(core: Core, count: int) -> None:
    for start in range(0, count, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, count))
        with core.database.write() as session:
            session.execute(insert(CaptureRow), [_capture(number) for number in numbers])
            session.execute(insert(ItemRow), [_item(number) for number in numbers])
            reviewed = sum(number % 10 == 0 for number in numbers)
            tallies.moved(session, None, ReviewState.REVIEWED, reviewed)
            tallies.moved(session, None, ReviewState.WAITING, len(numbers) - reviewed)


def _capture(number: int) -> dict[str, object]:
    at = f"2026-01-01T00:00:{number % 60:02}.000Z"
    record = CaptureRecord(
        id=f"c{number:07}",
        device=f"cam-{number % 50}",
        digest=f"sha256:{number:064x}",
        size=50_000,
        content_type="image/jpeg",
        strategy=_STRATEGIES[number // 50 % 7],
        reason="One of 20 images, by chance.",
        captured_at=at,
    )
    same = {"device": record.device, "strategy": record.strategy, "digest": record.digest}
    return {"id": record.id, "record": record, "requested_at": at, "uploaded_at": at} | same


def _item(number: int) -> dict[str, object]:
    done = number % 10 == 0
    return {
        "capture": f"c{number:07}",
        "device": f"cam-{number % 50}",
        "strategy": _STRATEGIES[number // 50 % 7],
        "model": "tags" if number % 3 else "plates",
        "version": 1,
        "digest": f"sha256:{number:064x}",
        "width": 640,
        "height": 480,
        "alike": f"c{number:07}",
        "arrival": number,
        "turn": number,
        "state": (ReviewState.REVIEWED if done else ReviewState.WAITING).value,
        "first_by": "",
        "labels": () if done else None,
        "people": ("ada",) if done else (),
        "reviewed_at": "2026-01-02T00:00:00.000Z" if done else None,
    }


if __name__ == "__main__":
    main()
