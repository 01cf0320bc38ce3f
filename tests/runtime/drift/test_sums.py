"""Values that are counted together make the sketch that they make one by one."""

from __future__ import annotations

import math
import random

import pytest

from lineside.contract.drift import QUANTITIES, Sketch, Tally
from lineside.runtime.drift.sums import Sums


@pytest.mark.parametrize("name", QUANTITIES)
def test_many_values_at_once_are_sketched_as_one_by_one(name: str) -> None:
    edges, chance = QUANTITIES[name].edges, random.Random(name)
    values = [chance.uniform(edges[0] - 1, edges[-1] + 1) for _ in range(2500)] + [*edges, math.nan, math.inf]
    sums, tally = Sums(name), Tally(name)
    for start in range(0, len(values), 60):
        sums.add(values[start : start + 60])
    for value in values:
        tally.add(value)
    made, wanted = sums.sketch(), tally.sketch()
    assert made.counts == wanted.counts
    assert made.mean == pytest.approx(wanted.mean, abs=2e-6)
    assert made.m2 == pytest.approx(wanted.m2, rel=1e-9, abs=2e-6)


def test_a_sketch_goes_on_from_another_and_asking_for_it_changes_nothing() -> None:
    first = Sums("confidence")
    first.add([0.1, 0.2])
    again = Sums("confidence", first.sketch())
    again.add([0.9])
    together = Sums("confidence")
    together.add([0.1, 0.2])
    assert together.sketch().count == 2
    together.add([0.9])
    assert again.sketch() == together.sketch()


def test_a_sketch_without_moments_goes_on_too() -> None:
    old = Sketch(counts=(1,) + (0,) * (len(QUANTITIES["confidence"].edges) - 2))
    sums = Sums("confidence", old)
    sums.add([math.nan])
    assert sums.sketch().count == 1
    sums.add([0.5])
    assert sums.sketch().count == 2
