"""Histograms and the shift between two of them: what must hold for whatever devices publish."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.histogram import (
    CONFIDENCE_STEPS,
    LATENCY_STEPS,
    confidence_step,
    latency_step,
    lower_edge,
    quantile,
)
from lineside.server.telemetry.shift import psi, psi_of_classes

A_STEP = 2**0.25
COUNTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=12)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_latency_lies_in_a_step(ms: float) -> None:
    step = latency_step(ms)
    assert 0 <= step < LATENCY_STEPS
    if 0.0 <= ms < lower_edge(LATENCY_STEPS - 1):
        assert lower_edge(step) <= ms * (1 + 1e-9)
        assert ms < lower_edge(step + 1) * (1 + 1e-9)


@given(st.floats(0.0, 1.0))
def test_any_confidence_lies_in_its_tenth(confidence: float) -> None:
    step = confidence_step(confidence)
    assert step / CONFIDENCE_STEPS <= confidence <= (step + 1) / CONFIDENCE_STEPS


@given(st.lists(st.floats(0.6, 20_000.0), min_size=1, max_size=300), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_one_step_of_the_exact_one(latencies: list[float], share: float) -> None:
    counts = [0] * LATENCY_STEPS
    for ms in latencies:
        counts[latency_step(ms)] += 1
    exact = sorted(latencies)[max(1, math.ceil(share * len(latencies))) - 1]
    found = quantile(counts, share)
    assert found is not None
    assert exact / A_STEP * 0.999 <= found <= exact * A_STEP * 1.001


@given(st.lists(st.integers(0, 50), min_size=LATENCY_STEPS, max_size=LATENCY_STEPS))
def test_higher_shares_never_have_lower_quantiles(counts: list[int]) -> None:
    found = [quantile(counts, share) for share in (0.5, 0.9, 0.95, 1.0)]
    assert found == [None] * 4 if not any(counts) else found == sorted(found, key=float)


@given(COUNTS)
def test_nothing_has_shifted_from_itself(counts: list[int]) -> None:
    assert psi(counts, counts) == pytest.approx(0.0)


@given(
    COUNTS.flatmap(lambda a: st.tuples(st.just(a), st.lists(st.integers(0, 10_000), min_size=len(a), max_size=len(a))))
)
def test_a_shift_is_the_same_both_ways_and_finite(both: tuple[list[int], list[int]]) -> None:
    now, baseline = both
    assert psi(now, baseline) == pytest.approx(psi(baseline, now))
    assert 0.0 <= psi(now, baseline) + 1e-12 < math.inf


@given(st.lists(st.integers(1000, 5000), min_size=2, max_size=10), st.integers(2, 5))
def test_more_of_the_same_is_no_shift(counts: list[int], times: int) -> None:
    assert psi([count * times for count in counts], counts) < 0.001


def test_a_shift_is_as_large_as_the_formula_says() -> None:
    # shares 0.8/0.2 against 0.5/0.5: 0.3 ln 1.6 - 0.3 ln 0.4 = 0.416
    assert psi([8000, 2000], [5000, 5000]) == pytest.approx(0.3 * math.log(1.6) - 0.3 * math.log(0.4), abs=1e-3)
    assert psi_of_classes({"dent": 900, "scratch": 100}, {"scratch": 900, "dent": 100}) > 1.0
    assert psi_of_classes({"dent": 500}, {"dent": 500}) == 0.0


def test_bins_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 3 bins"):
        psi([1, 2], [1, 2, 3])
