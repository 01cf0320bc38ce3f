"""Answers: what each does, two people who agree or do not, undo, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from lineside.contract.dataset import Box, LabelKind, LabelSource
from lineside.contract.errors import LinesideError
from lineside.contract.review import NextRequest, ReviewPolicy
from lineside.server.access.audit import AuditRow
from lineside.server.review.reading import reviewed, reviews_of
from tests.server.review.world import World, being, box

MODEL = LabelSource(kind=LabelKind.MODEL, by="tags", version="3", reviewed=True)
ADA = LabelSource(kind=LabelKind.PERSON, by="ada", reviewed=True)
PREDICTED = Box(label="scratch", x=10, y=20, width=30, height=25, source=MODEL)


def refused(code: str) -> Any:
    return pytest.raises(LinesideError, match=f"^{code}:")


def labels(world: World, capture: str = "c0") -> tuple[Box, ...] | None:
    return world.reviews.get(capture).labels


def test_accepted_boxes_stay_the_models_and_are_reviewed(world: World) -> None:
    world.some(1)
    assert world.says("ada", "c0") == "reviewed"
    assert labels(world) == (PREDICTED,)
    item = world.reviews.get("c0")
    assert (item.by, item.answers[0].person, item.answers[0].kind.value) == (("ada",), "ada", "accept")
    assert world.reviews.stats().states == {
        "waiting": 0, "second": 0, "disputed": 0, "unsure": 0, "reviewed": 1, "unreadable": 0
    }  # fmt: skip


def test_corrected_boxes_say_which_of_them_a_person_drew(world: World) -> None:
    world.some(1)
    drawn = box(50, 40, 200, 20, "dent"), box(10, 20, 30, 25)
    assert world.says("ada", "c0", "correct", *drawn) == "reviewed"
    assert labels(world) == (Box(label="dent", x=50, y=40, width=70, height=20, source=ADA), PREDICTED)


def test_nothing_here_is_a_label_too(world: World) -> None:
    world.some(1)
    assert world.says("ada", "c0", "nothing") == "reviewed"
    assert labels(world) == ()


def test_unsure_is_set_aside_and_can_be_settled_later(world: World) -> None:
    world.some(1)
    assert world.says("ada", "c0", "unsure") == "unsure"
    assert world.says("ben", "c0", "nothing") == "reviewed"


def test_what_is_skipped_comes_last(world: World) -> None:
    world.some(3)
    world.says("ada", "c2", "skip")
    with being("ada"):
        assert [one.record.id for one in world.reviews.next(NextRequest(count=3)).items] == ["c1", "c0", "c2"]


@pytest.mark.parametrize(
    "boxes",
    [[box(10, 10, 0, 5)], [box(200, 10, 5, 5)], [box(1, 1, float("nan"), 5)], [box(1, 1, 5, 5, " ")],
     [box(1, 1, 5, 5, "x" * 101)], [box(1, 1, 5, 5, "a\nb")], [box(1, 1, 5, 5)] * 1001],
)  # fmt: skip
def test_boxes_that_are_none_are_refused_and_nothing_is_stored(world: World, boxes: Any) -> None:
    world.some(1)
    with refused("review.boxes_refused"):
        world.says("ada", "c0", "correct", *boxes)
    assert (world.reviews.get("c0").answers, world.reviews.stats().throughput) == ((), ())


def test_nothing_can_be_accepted_where_no_model_looked(world: World) -> None:
    world.some(1, found=None)
    with refused("review.nothing_predicted"):
        world.says("ada", "c0")
    assert world.says("ada", "c0", "correct", box(1, 2, 3, 4)) == "reviewed"


def test_an_answered_capture_and_somebody_elses_lease_are_refused(world: World) -> None:
    world.some(2)
    world.says("ada", "c0")
    with refused("review.answered"):
        world.says("ben", "c0")
    with being("ada"):
        world.reviews.next(NextRequest(count=1))
    with refused("review.leased"):
        world.says("ben", "c1")
    world.clock.advance(16 * 60)
    assert world.says("ben", "c1") == "reviewed"
    with refused("review.answered"):
        world.says("ada", "c1")
    with refused("request.not_found"):
        world.says("ada", "unknown")


def test_two_people_who_agree(world: World) -> None:
    world.some(1)
    world.reviews.set_policy(ReviewPolicy(people=2))
    assert world.says("ada", "c0") == "second"
    with refused("review.yours_already"):
        world.says("ada", "c0")
    assert world.says("ben", "c0", "correct", box(11, 21, 30, 25)) == "reviewed"
    assert world.reviews.get("c0").by == ("ada", "ben")


@pytest.mark.parametrize("other", [[], [box(60, 20, 30, 25)], [box(10, 20, 30, 25, "dent")]])
def test_two_people_who_disagree_and_a_third_who_settles_it(world: World, other: Any) -> None:
    world.some(1)
    world.reviews.set_policy(ReviewPolicy(people=2))
    world.says("ada", "c0")
    assert world.says("ben", "c0", "correct" if other else "nothing", *other) == "disputed"
    assert labels(world) is None
    assert world.says("eva", "c0", "nothing") == "reviewed"
    assert [one.person for one in world.reviews.get("c0").answers] == ["ada", "ben", "eva"]


def test_undo_takes_answers_back_one_by_one(world: World) -> None:
    world.some(2)
    world.says("ada", "c1", "skip")
    world.says("ada", "c0", "unsure")
    with being("ada"):
        assert world.reviews.undo().record.id == "c0"
        assert world.reviews.undo().record.id == "c1"
        assert [one.record.id for one in world.reviews.next(NextRequest()).items] == ["c1", "c0"]
        with refused("review.nothing_to_undo"):
            world.reviews.undo()
    stats = world.reviews.stats()
    assert (stats.states["waiting"], stats.throughput, stats.last_hour) == (2, (), {})


def test_undo_of_a_second_answer_waits_for_a_second_person_again(world: World) -> None:
    world.some(1)
    world.reviews.set_policy(ReviewPolicy(people=2))
    world.says("ada", "c0")
    world.says("ben", "c0")
    with being("ada"), refused("review.not_last"):
        world.reviews.undo()
    with being("ben"):
        assert world.reviews.undo().state.value == "second"
    with refused("review.yours_already"):
        world.says("ada", "c0")


def test_throughput_is_told_by_person_and_day(world: World) -> None:
    world.some(3)
    for capture, kind in (("c0", "accept"), ("c1", "nothing"), ("c2", "nothing")):
        world.says("ada", capture, kind)
    assert [(one.person, one.answers) for one in world.reviews.stats().throughput] == [
        ("ada", {"accept": 1, "nothing": 2})
    ]
    assert world.reviews.stats().last_hour == {"ada": 3}


def test_other_rooms_read_what_was_predicted_beside_what_is_there(world: World) -> None:
    world.some(3)
    world.capture("u0", seed=8, strategy="uncertain")
    world.reviews.intake.step()
    for capture in ("c0", "c2", "u0"):
        world.says("ada", capture, "nothing")
    with world.core.database.read() as session:
        assert reviewed(session) == {"random": 2, "uncertain": 1}
        assert reviewed(session, since="2027-01-01T00:00:00.000Z") == {}
        found = list(reviews_of(session, strategy="random", model="tags"))
        assert [one.record.id for one in found] == ["c0", "c2"]
        assert [(one.predicted[0].confidence, one.labels) for one in found] == [(0.8, ()), (0.8, ())]
        assert list(reviews_of(session, model="other")) == []


def test_every_answer_is_a_row_of_the_trail(world: World) -> None:
    world.some(1)
    world.says("ada", "c0", "nothing")
    with being("ada"):
        world.reviews.undo()
    with world.core.database.read() as session:
        rows = session.execute(select(AuditRow.actor, AuditRow.action, AuditRow.subject).order_by(AuditRow.number))
        assert [tuple(row) for row in rows] == [("ada", "review.answer", "c0"), ("ada", "review.undo", "c0")]
