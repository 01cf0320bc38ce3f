"""Lists and the queue are cut by an index: nothing is scanned or sorted, however many captures there are."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from lineside.contract.review import NextRequest, ReviewState
from lineside.server.review.queue import Wanted
from tests.server.review.world import World, being

pytestmark = pytest.mark.sqlite_only


def plans(world: World, ask: Any) -> list[list[str]]:
    """How SQLite finds what a question's SELECTs of captures in review ask for: the steps of each."""
    asked: list[tuple[str, Any]] = []

    def listen(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and "review_items" in statement:
            asked.append((statement, parameters))

    engine: Engine = world.core.database.engine
    event.listen(Engine, "before_cursor_execute", listen)
    try:
        ask()
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
    found = []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
        for statement, parameters in asked:
            rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            found.append([str(row[-1]) for row in rows])
    assert found
    return found


def fine(steps: list[str]) -> bool:
    """Captures are found by an index and come in its order."""
    looked = [step for step in steps if "review_items" in step]
    return bool(looked) and all("USING" in step for step in looked) and not any("TEMP B-TREE" in step for step in steps)


each_filter = pytest.mark.parametrize(
    "wanted",
    [{}, {"strategy": "random"}, {"device": "cam-1"}, {"model": "tags"}, {"device": "cam-1", "strategy": "random"}],
)


@each_filter
def test_lists(world: World, wanted: dict[str, str]) -> None:
    def ask() -> None:
        world.reviews.page(ReviewState.WAITING, Wanted(**wanted), "5:c5", 100)

    assert all(fine(steps) for steps in plans(world, ask))


@each_filter
def test_what_a_person_has_leased_is_found_by_their_leases(world: World, wanted: dict[str, str]) -> None:
    def ask() -> None:
        with being("ada"):
            world.reviews.next(NextRequest(count=20, **wanted))

    held, *free = plans(world, ask)
    first, second, *_ = held
    assert first == "SEARCH review_leases USING INDEX ix_review_leases_person (person=?)"
    assert "review_items USING INDEX sqlite_autoindex_review_items_1 (capture=?)" in second
    assert free
    assert all(fine(steps) for steps in free)
