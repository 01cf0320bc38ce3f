"""How the parts of a collection are shared anew: the sum stays, and nobody is asked for less than it has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.server.captures.spreading import Part, gone_since, shared, silent_since, spread

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, TEN = timedelta(hours=1), timedelta(minutes=10)
COUNTS = st.integers(0, 30)
PARTS = st.dictionaries(
    st.sampled_from("abcdefg"),
    st.builds(
        lambda asked, have, state: Part(asked, have, there=state == "there", lost=state == "lost"),
        COUNTS,
        COUNTS,
        st.sampled_from(("there", "lost", "away")),
    ),
)


def test_spread_evenly() -> None:
    assert sorted(spread(7, ["a", "b", "c"], "seed").values()) == [2, 2, 3]
    assert sum(spread(2, [str(n) for n in range(100)], "seed").values()) == 2
    assert spread(5, [], "seed") == {}


@pytest.mark.parametrize(
    ("parts", "changed"),
    [
        (
            {"a": Part(5, 2, lost=True), "b": Part(2, 0, there=True), "c": Part(3, 3, there=True)},
            {"a": 2, "b": 4, "c": 4},
        ),
        ({"a": Part(5, 2, lost=True), "b": Part(2, 0)}, {}),  # nobody is there to ask
        ({"a": Part(2, 5, there=True), "b": Part(4, 1, there=True)}, {"a": 5, "b": 1}),  # late, and all of it is saved
        (
            {"a": Part(2, 5, there=True), "b": Part(4, 3, there=True)},
            {"a": 3, "b": 3},
        ),  # one is saved, two are too many
        ({"a": Part(2, 5, there=True), "b": Part(4, 4, there=True)}, {}),  # nothing is left to save
        ({"a": Part(2, 4), "b": Part(5, 1, lost=True), "c": Part(1, 1, there=True)}, {"a": 4, "b": 1, "c": 3}),
    ],
)
def test_what_one_does_not_give_is_asked_of_the_others(parts: dict[str, Part], changed: dict[str, int]) -> None:
    assert shared(parts) == changed


@given(PARTS)
def test_the_sum_stays_and_nobody_is_asked_for_less_than_it_has(parts: dict[str, Part]) -> None:
    changed = shared(parts)
    after = {name: changed.get(name, part.asked) for name, part in parts.items()}
    assert sum(after.values()) == sum(part.asked for part in parts.values())
    assert all(after[name] >= min(part.asked, part.have) for name, part in parts.items())
    if any(part.there for part in parts.values()):
        assert all(after[name] <= part.have for name, part in parts.items() if part.lost)
    # what is too many is no more than it must be: nobody who can be told is still asked for one that is there already
    late = any(part.have > after[name] for name, part in parts.items())
    still_open = any(part.there and after[name] > part.have for name, part in parts.items())
    assert not (late and still_open)
    settled = {n: Part(after[n], part.have, there=part.there, lost=part.lost) for n, part in parts.items()}
    assert shared(settled) == {}


@pytest.mark.parametrize(
    ("hours", "gone", "now", "lost"),
    [
        (40, 0.0, 9.9, False),  # a quarter of the time has not passed
        (40, 0.0, 10.0, True),
        (40, 30.0, 34.9, False),  # nor half of what was left then
        (40, 30.0, 35.0, True),
        (0.5, 0.1, 0.26, False),  # ten minutes in any case
        (0.5, 0.1, 0.27, True),
    ],
)
def test_how_long_a_silent_device_is_waited_for(hours: float, gone: float, now: float, lost: bool) -> None:
    silent = silent_since(BEGUN, BEGUN + hours * HOUR, BEGUN + now * HOUR, TEN)
    assert (BEGUN + gone * HOUR <= silent) is lost


@pytest.mark.parametrize(
    ("hours", "silent", "now", "gone"),
    [
        (40, 0.0, 19.9, False),  # half of the time has not passed
        (40, 0.0, 20.0, True),
        (40, 30.0, 37.4, False),  # nor three quarters of what was left then
        (40, 30.0, 37.5, True),
        (0.5, 0.1, 0.43, False),  # twenty minutes in any case
        (0.5, 0.1, 0.44, True),
    ],
)
def test_how_long_what_a_silent_device_has_kept_is_waited_for(
    hours: float, silent: float, now: float, gone: bool
) -> None:
    since = gone_since(BEGUN, BEGUN + hours * HOUR, BEGUN + now * HOUR, TEN)
    assert (BEGUN + silent * HOUR <= since) is gone
    assert since <= silent_since(BEGUN, BEGUN + hours * HOUR, BEGUN + now * HOUR, TEN)
