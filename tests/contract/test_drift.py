"""Sketches are exact where they say so, merge as if they had been one, and windows tell what they are of."""

from __future__ import annotations

import itertools
import math
import statistics

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract import topics
from lineside.contract.drift import (
    MOST_CLASSES,
    OTHER,
    QUANTITIES,
    Baseline,
    DriftWindow,
    Sketch,
    few,
    is_drift,
    merged,
    sketch_of,
)

VALUES = st.lists(st.floats(0, 255), max_size=60)


@given(VALUES, VALUES)
def test_two_sketches_merge_as_if_they_had_been_one(one: list[float], other: list[float]) -> None:
    together, whole = (
        sketch_of("brightness", one).merged(sketch_of("brightness", other)),
        sketch_of("brightness", one + other),
    )
    assert together.counts == whole.counts
    assert together.mean == pytest.approx(whole.mean, abs=1e-3)
    assert together.spread == pytest.approx(whole.spread, abs=1e-2)


@given(st.lists(st.floats(0, 255), min_size=2, max_size=60))
def test_mean_and_spread_are_those_of_the_values(values: list[float]) -> None:
    sketch = sketch_of("brightness", values)
    assert sketch.count == len(values)
    assert sketch.mean == pytest.approx(statistics.fmean(values), abs=1e-3)
    assert sketch.spread == pytest.approx(statistics.pstdev(values), abs=1e-2)


@pytest.mark.parametrize("name", QUANTITIES)
def test_each_value_lies_between_the_edges_of_its_bin(name: str) -> None:
    edges = QUANTITIES[name].edges
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        counts = sketch_of(name, [low, (low + high) / 2]).counts
        assert counts[place] == 2
    assert sketch_of(name, [edges[-1], edges[-1] * 4 + 1]).counts[-1] == 2
    assert sketch_of(name, [edges[0] - 1]).counts[0] == 1


def test_areas_are_told_in_doublings() -> None:
    assert sketch_of("box_area", [0.25, 0.5]).mean == -1.5
    assert math.isfinite(sketch_of("box_area", [0.0]).mean or 0.0)


def test_what_is_no_number_is_left_out() -> None:
    assert sketch_of("confidence", [math.nan, math.inf, 0.5]).count == 1


def test_sketches_with_other_bins_do_not_merge() -> None:
    with pytest.raises(ValueError, match="edges"):
        sketch_of("brightness", [1]).merged(sketch_of("confidence", [1]))


def test_a_baseline_of_version_1_is_still_read_and_written_as_it_was() -> None:
    old = (
        b'{"schema":"lineside.baseline/1","images":1,'
        b'"sketches":{"confidence":{"edges":[0.0,1.0],"counts":[3]}},"classes":{}}'
    )
    baseline = msgspec.json.decode(old, type=Baseline)
    assert baseline.sketches["confidence"].count == 3
    assert baseline.sketches["confidence"].mean is None
    assert msgspec.json.encode(baseline) == old


def window(**changed: object) -> DriftWindow:
    made = DriftWindow(
        device="cam-1",
        model="tags",
        digest="sha256:1",
        began_at="2026-01-01T10:00:00Z",
        seconds=600,
        frames=10,
        sketches={"brightness": sketch_of("brightness", [100.0] * 10)},
        classes={"tag": 4},
    )
    return msgspec.structs.replace(made, **changed)


def test_windows_of_a_group_merge() -> None:
    other = window(device="cam-2", began_at="2026-01-01T09:50:00Z", sketches={}, classes={"tag": 1, "hole": 2})
    both = merged(window(), other)
    assert (both.frames, both.began_at, both.classes) == (20, "2026-01-01T09:50:00Z", {"hole": 2, "tag": 5})
    assert both.sketches["brightness"].count == 10


def test_windows_of_two_sources_are_two() -> None:
    assert window().key != window(source="left").key
    assert window().key == window(frames=3).key


def test_a_window_stays_small_whatever_it_saw() -> None:
    busy = {name: sketch_of(name, list(each.edges) * 50) for name, each in QUANTITIES.items()}
    classes = few({f"class-{n:04}": n + 1 for n in range(1000)})
    assert len(classes) == MOST_CLASSES
    assert sum(classes.values()) == sum(range(1001))
    assert classes[OTHER] > 0
    assert len(msgspec.json.encode(window(sketches=busy, classes=classes))) < 6000


def test_a_window_is_told_from_other_messages_by_how_it_begins() -> None:
    assert is_drift(msgspec.json.encode(window()))
    assert not is_drift(b'{"schema":"lineside.telemetry/1"}')


def test_a_device_publishes_its_own_windows_and_no_others() -> None:
    assert topics.may_publish("cam-1", topics.drift("cam-1"))
    assert topics.is_for_control_plane("cam-1", topics.drift("cam-1"))
    assert not topics.may_publish("cam-1", topics.drift("cam-2"))
    assert not topics.may_subscribe("cam-1", topics.drift("cam-1"))


def test_a_sketch_says_nothing_of_its_bins_where_they_are_the_usual_ones() -> None:
    assert b"edges" not in msgspec.json.encode(sketch_of("confidence", [0.5]))
    assert Sketch(counts=(1,)).count == 1
