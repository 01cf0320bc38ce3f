"""Lists and the queue are cut by an index: nothing is scanned or sorted, however many captures there are."""

from __future__ import annotations

import pytest

from lineside.contract.review import NextRequest, ReviewState
from lineside.server.review.queue import Wanted
from tests.server.query_plans import plans
from tests.server.review.world import World, being

pytestmark = pytest.mark.sqlite_only


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

    assert all(fine(steps) for steps in plans(world.core.database, "review_items", ask))


@each_filter
def test_what_a_person_has_leased_is_found_by_their_leases(world: World, wanted: dict[str, str]) -> None:
    def ask() -> None:
        with being("ada"):
            world.reviews.next(NextRequest(count=20, **wanted))

    held, *free = plans(world.core.database, "review_items", ask)
    first, second, *_ = held
    assert first == "SEARCH review_leases USING INDEX ix_review_leases_person (person=?)"
    assert "review_items USING INDEX sqlite_autoindex_review_items_1 (capture=?)" in second
    assert free
    assert all(fine(steps) for steps in free)
