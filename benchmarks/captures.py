"""A million capture records: how long a page, a filter and a count take: `python -m benchmarks.captures`.

Records of 50 devices, five reasons and six models over 90 days lie in one database (SQLite, or --database-url).
Each question is what the captures page asks: its first page, one 5,000 behind, and the one after the first by `next`.
A question is as slow as the slowest of its pages; that is the median of several. `--keep FOLDER` keeps the database.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import insert

from benchmarks.many_records import MILLISECONDS, Asked, arguments, asked, filled, report, told
from benchmarks.measure import finish
from lineside.contract.capture import CaptureFilter, CaptureRecord
from lineside.contract.result import Result
from lineside.server.captures.service import CapturesService
from lineside.server.captures.store import CaptureCountRow, CaptureRow
from lineside.server.clock import rfc3339
from lineside.server.services import Core

_STRATEGIES = ("random", "uncertain", "class", "requested", "drift")
_WEIGHTS = (50, 30, 15, 4, 1)
_BATCH, _TIMES = 5000, 9
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Print a table and the figures; 1 when something took longer than it may."""
    chosen = arguments(__doc__ or "", "captures", 20_000)
    with filled(chosen, _fill) as core:
        captures = CapturesService(core)
        found = {name: _slowest(captures, which) for name, which in _questions(chosen.records).items()}
        found["counts by reason"] = asked(lambda number: captures.counts(), _TIMES)
    print(told(found))
    finish(figures := report(found, chosen.records), as_json=chosen.json)
    return int(float(str(figures["slowest_median_ms"])) > MILLISECONDS)


def _fill(core: Core, count: int) -> None:
    with core.database.write() as session:
        for rows in _batches(count):
            session.execute(insert(CaptureRow), rows)
        session.execute(insert(CaptureCountRow), _counts)


_counts: list[dict[str, Any]] = []


def _batches(count: int) -> Iterator[list[dict[str, Any]]]:
    dice, rows = random.Random(8), []
    counts: dict[tuple[str, str], int] = {}
    step = timedelta(days=90) / count
    for number in range(count):
        row = _row(dice, number, rfc3339(_BEGAN + number * step))
        counts[row["strategy"], row["model"]] = counts.get((row["strategy"], row["model"]), 0) + 1
        rows.append(row)
        if len(rows) == _BATCH:
            yield rows
            rows = []
    if rows:
        yield rows
    _counts[:] = [{"strategy": s, "model": m, "count": n} for (s, m), n in counts.items()]


def _row(dice: random.Random, number: int, at: str) -> dict[str, Any]:
    device, version = f"cam-{dice.randrange(50):02}", dice.randint(1, 6)
    strategy, digest = dice.choices(_STRATEGIES, _WEIGHTS)[0], f"sha256:{number:064x}"
    request = f"collection-{number // 5000:04}" if strategy == "requested" else None
    result = Result(
        device=device,
        model="tags",
        version=version,
        digest=digest,
        image=f"{number}.jpg",
        captured_at=at,
        sequence=number,
        width=640,
        height=480,
        latency_ms=4.0,
    )
    record = CaptureRecord(
        id=f"{dice.getrandbits(128):032x}",
        device=device,
        digest=digest,
        size=100_000,
        content_type="image/jpeg",
        strategy=strategy,
        reason="One of twenty images, by chance.",
        captured_at=at,
        result=result,
        request=request if request else msgspec.UNSET,
    )
    return {
        "id": record.id,
        "device": device,
        "strategy": strategy,
        "record": record,
        "requested_at": at,
        "uploaded_at": at,
        "digest": digest,
        "model": f"tags:{version}",
        "request": request,
    }


def _questions(count: int) -> dict[str, CaptureFilter]:
    week = {"since": rfc3339(_BEGAN + timedelta(days=30)), "until": rfc3339(_BEGAN + timedelta(days=37))}
    request = f"collection-{count // 10_000:04}"
    return {
        "all": CaptureFilter(),
        "one device": CaptureFilter(device="cam-07"),
        "one reason": CaptureFilter(strategy="drift"),
        "one model": CaptureFilter(model="tags:3"),
        "one collection": CaptureFilter(request=request),
        "a week": CaptureFilter(**week),
        "device and reason": CaptureFilter(device="cam-07", strategy="drift"),
        "device and model": CaptureFilter(device="cam-07", model="tags:3"),
        "device, reason, model, week": CaptureFilter(device="cam-07", strategy="random", model="tags:3", **week),
        "reason and model": CaptureFilter(strategy="drift", model="tags:3"),
        "reason, model, week": CaptureFilter(strategy="random", model="tags:3", **week),
        "collection, device, model": CaptureFilter(request=request, device="cam-07", model="tags:3"),
        "nothing fits": CaptureFilter(device="cam-99", strategy="drift", model="tags:3"),
    }


def _slowest(captures: CapturesService, which: CaptureFilter) -> Asked:
    """The slowest of: the first page, one that is 5,000 behind, and the one after the first."""
    first = captures.page(which, 0, 100)
    pages: list[Callable[[int], object]] = [
        lambda number: captures.page(which, 0, 100),
        lambda number: captures.page(which, 5000, 100),
    ]
    if first.next is not None:
        pages.append(lambda number: captures.page(which, 0, 100, first.next))
    return max((asked(page, _TIMES) for page in pages), key=lambda one: one.median_ms)


if __name__ == "__main__":
    raise SystemExit(main())
