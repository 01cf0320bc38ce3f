from __future__ import annotations

from collections.abc import Callable

import pytest

from lineside.pipeline.trainers.budget import Budget
from lineside.pipeline.trainers.settings import Settings


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def train(budget: Budget, clock: Clock, seconds: Callable[[int], float], epochs: int, start: int = 0) -> int:
    """Epochs until the budget says so, at most `epochs`; the number of the last."""
    epoch = start
    while not budget.is_over(epoch) and epoch < epochs:
        clock.seconds += seconds(epoch)
        epoch += 1
        budget.passed()
    return epoch


def test_minutes_are_filled_with_as_many_epochs_as_fit() -> None:
    clock = Clock()
    budget = Budget(Settings(minutes=10.0), clock)
    clock.seconds = 20  # decoding the pictures
    done = train(budget, clock, lambda epoch: 30 if epoch == 0 else 2, 10_000)
    assert 0.95 * 600 <= clock.seconds <= 600
    assert done == budget.epochs > 250


def test_without_minutes_epochs_are_those_asked_for() -> None:
    clock = Clock()
    assert train(Budget(Settings(epochs=7), clock), clock, lambda _: 1e6, 100) == 7


def test_too_few_minutes_end_after_the_timed_epochs() -> None:
    clock = Clock()
    assert train(Budget(Settings(minutes=0.001), clock), clock, lambda _: 60, 100) == 3


def test_the_number_is_decided_once_whatever_happens_later() -> None:
    clock = Clock()
    budget = Budget(Settings(minutes=10.0), clock)
    train(budget, clock, lambda _: 2, 10)
    decided = budget.epochs
    resumed = Budget(Settings(minutes=10.0), clock)
    resumed.restore(budget.state())
    assert train(resumed, clock, lambda _: 50, 10_000, start=10) == decided


@pytest.mark.parametrize("killed_after", [1, 2])
def test_time_spent_before_a_kill_counts_and_the_pause_does_not(killed_after: int) -> None:
    clock = Clock()
    budget = Budget(Settings(minutes=10.0), clock)
    train(budget, clock, lambda _: 2, killed_after)
    state = budget.state()
    clock.seconds += 100_000
    resumed = Budget(Settings(minutes=10.0), clock)
    resumed.restore(state)
    assert 0.95 * 300 <= train(resumed, clock, lambda _: 2, 10_000, start=killed_after) <= 300


def test_a_longer_training_settles_longer_and_falls_from_peak_to_nothing() -> None:
    clock = Clock()
    budget = Budget(Settings(minutes=10.0, epochs=12, settle_epochs=2), clock)
    assert not budget.is_last(11)  # nobody knows yet
    assert budget.share(2.5, 1.0) == 0.0
    train(budget, clock, lambda _: 5, 5)
    assert budget.settled == round(2 * budget.epochs / 12)
    assert not budget.is_last(budget.epochs - budget.settled - 1)
    assert budget.is_last(budget.epochs - budget.settled)
    assert budget.share(budget.epochs, 1.0) == 1.0
