"""Several lanes work side by side and hand over in order."""

from __future__ import annotations

import random
import threading
from queue import SimpleQueue

import pytest

from lineside.runtime.lanes import Lanes

PATIENCE = 60.0


@pytest.mark.parametrize("count", [1, 2, 5])
def test_what_is_taken_is_worked_on_once_and_given_in_order(count: int) -> None:
    source, given = iter(range(300)), []
    work: Lanes[int, int] = Lanes(
        count,
        lambda: next(source, None),
        lambda n: sum(range(random.randrange(3000))) * 0 + n,
        lambda *g: given.append(g),
    )
    work.start()
    assert work.join(PATIENCE)
    assert work.failure is None
    assert given == [(n, n) for n in range(300)]


def test_as_many_work_at_once_as_there_are_lanes() -> None:
    together = threading.Barrier(3)  # breaks unless three are at work at once
    source, given = iter(range(9)), []
    lanes: Lanes[int, int] = Lanes(
        3, lambda: next(source, None), lambda n: together.wait(PATIENCE), lambda *g: given.append(g[0])
    )
    lanes.start()
    assert lanes.join(PATIENCE)
    assert lanes.failure is None
    assert given == list(range(9))


def test_a_later_one_that_is_done_waits_for_the_one_before_it() -> None:
    slow, later = threading.Event(), threading.Event()
    source, given = iter(range(2)), []

    def work(number: int) -> None:
        if number == 0:
            slow.wait(PATIENCE)
        else:
            later.set()

    lanes: Lanes[int, None] = Lanes(2, lambda: next(source, None), work, lambda *g: given.append(g[0]))
    lanes.start()
    assert later.wait(PATIENCE)
    assert given == []
    slow.set()
    assert lanes.join(PATIENCE)
    assert given == [0, 1]


@pytest.mark.parametrize("place", ["take", "work", "give"])
def test_a_failure_ends_all_lanes_and_is_kept(place: str) -> None:
    source, given = iter(range(100)), []

    def fail(number: int) -> None:
        if number == 10:
            raise RuntimeError(place)

    def take() -> int:
        number = next(source)
        if place == "take":
            fail(number)
        return number

    def give(number: int, _: None) -> None:
        if place == "give":
            fail(number)
        given.append(number)

    lanes: Lanes[int, None] = Lanes(4, take, fail if place == "work" else lambda n: None, give)
    lanes.start()
    assert lanes.join(PATIENCE)
    assert isinstance(lanes.failure, RuntimeError)
    assert given == list(range(len(given)))
    assert len(given) <= 10


def test_what_was_taken_is_handed_over_though_the_end_has_come() -> None:
    frames: SimpleQueue[int | None] = SimpleQueue()
    at_work, go, given = threading.Event(), threading.Event(), []

    def work(number: int) -> None:
        at_work.set()
        go.wait(PATIENCE)

    lanes: Lanes[int, None] = Lanes(2, frames.get, work, lambda *g: given.append(g[0]))
    lanes.start()
    frames.put(7)
    assert at_work.wait(PATIENCE)
    frames.put(None)
    assert not lanes.join(0.0)
    go.set()
    assert lanes.join(PATIENCE)
    assert given == [7]
