"""The queue: who is given which capture, when a lease ends, and in which order captures come."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from lineside.contract.review import NextRequest, ReviewPolicy, ReviewState
from lineside.server.review.queue import Wanted
from tests.server.datasets.conftest import png, surface
from tests.server.review.world import World, being


def given(world: World, person: str, count: int = 10, **wanted: Any) -> list[str]:
    """The captures that somebody is given."""
    with being(person):
        return [item.record.id for item in world.reviews.next(NextRequest(count=count, **wanted)).items]


def listed(world: World, where: str = "waiting", limit: int = 100, **wanted: Any) -> list[str]:
    """The captures in a state, over all pages."""
    found: list[str] = []
    after = None
    while True:
        page = world.reviews.page(ReviewState(where), Wanted(**wanted), after, limit)
        found += [item.record.id for item in page.items]
        if page.after is None:
            return found
        after = page.after


def test_captures_come_into_review_once_newest_first(world: World) -> None:
    assert world.some(3) == ["c0", "c1", "c2"]
    world.reviews.intake.step()
    assert listed(world) == ["c2", "c1", "c0"] == listed(world, limit=2)
    assert world.reviews.stats().states["waiting"] == 3


def test_what_is_no_picture_is_set_aside(world: World) -> None:
    world.capture("broken", data=b"no picture")
    world.reviews.intake.step()
    assert (listed(world), listed(world, "unreadable")) == ([], ["broken"])


def test_two_people_never_get_the_same_capture_at_once(world: World) -> None:
    world.some(5)
    ada, ben = given(world, "ada", 2), given(world, "ben", 2)
    assert (ada, ben) == (["c4", "c3"], ["c2", "c1"])
    assert given(world, "ada", 2) == ada  # a page that is opened again
    assert given(world, "ada") == ["c4", "c3", "c0"]
    assert given(world, "eva") == []


def test_a_lease_ends(world: World) -> None:
    world.some(2)
    assert given(world, "ada") == ["c1", "c0"]
    world.clock.advance(14 * 60)
    assert given(world, "ben") == []
    given(world, "ada", 1)  # she goes on with the first
    world.clock.advance(2 * 60)
    assert given(world, "ben") == ["c0"]


def test_two_people_get_the_same_capture_where_the_policy_wants_two(world: World) -> None:
    world.some(1)
    world.reviews.set_policy(ReviewPolicy(people=2))
    assert (given(world, "ada"), given(world, "ben"), given(world, "eva")) == (["c0"], ["c0"], [])


def test_who_has_answered_is_not_the_second_person(world: World) -> None:
    world.some(2)
    world.reviews.set_policy(ReviewPolicy(people=2))
    assert world.says("ada", "c1") == "second"
    assert given(world, "ada") == ["c0"]
    assert given(world, "ben") == ["c0", "c1"]
    assert given(world, "eva") == []  # ada and ben have c0, ben has c1


@pytest.mark.parametrize("wanted", [{"strategy": "uncertain"}, {"device": "cam-2"}, {"model": "plates"}])
def test_filters(world: World, wanted: dict[str, Any]) -> None:
    world.capture("plain", seed=1)
    world.capture("other", seed=2, strategy="uncertain", device="cam-2", model="plates")
    world.reviews.intake.step()
    assert listed(world, **wanted) == ["other"] == given(world, "ada", **wanted)


def test_near_duplicates_of_a_device_are_one_group_and_follow_one_another(world: World) -> None:
    first = surface(1, 120, 80)
    moved = Image.new("RGB", first.size, (120, 120, 120))
    moved.paste(first, (2, 1))
    world.capture("first", data=png(first))
    world.capture("between", seed=9)
    world.capture("again", data=png(moved))
    world.capture("elsewhere", data=png(moved), device="cam-2")
    world.reviews.intake.step()
    alike = {item.record.id for item in world.reviews.alike("again", 10).items}
    assert alike == {"first", "again"}
    order = listed(world)
    assert abs(order.index("first") - order.index("again")) == 1


def test_near_duplicates_are_found_over_several_steps(world: World) -> None:
    world.some(3)
    world.capture("same", seed=1)
    world.reviews.intake.step()
    assert world.reviews.get("same").alike == "c1"
