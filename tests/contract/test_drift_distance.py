"""Distances mean what they say; drift counts when k of n windows lie on one side; a week becomes what is usual."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest

from lineside.contract.drift import Baseline, DriftWindow, sketch_of
from lineside.contract.drift_causes import causes
from lineside.contract.drift_distance import ENOUGH, Distance, Held, Usual, apart, distance
from lineside.contract.drift_usual import seen, usual_of_field, usual_of_tests

DIGEST = "sha256:1"


def window(
    at: str = "2026-01-01T10:00:00Z", classes: dict[str, int] | None = None, **values: list[float]
) -> DriftWindow:
    return DriftWindow(
        device="cam-1",
        model="tags",
        digest=DIGEST,
        began_at=at,
        seconds=600,
        frames=100,
        sketches={name: sketch_of(name, each) for name, each in values.items()},
        classes=classes or {},
    )


def baseline_of(classes: dict[str, float] | None = None, **values: list[float]) -> Usual:
    sketches = {name: sketch_of(name, each) for name, each in values.items()}
    return usual_of_tests(Baseline(images=100, sketches=sketches, classes=classes or {}), DIGEST)


def normal(mean: float, spread: float, count: int = 400, seed: int = 1) -> list[float]:
    drawn = random.Random(seed)
    return [drawn.gauss(mean, spread) for _ in range(count)]


def test_a_shift_is_in_standard_deviations_of_the_baseline() -> None:
    told = distance(window(brightness=normal(120, 10)), baseline_of(brightness=normal(100, 10)))
    assert told["brightness"].shift == pytest.approx(2.0, abs=0.15)
    assert told["brightness"].apart == pytest.approx(0.68, abs=0.1)  # of two normals two deviations apart


def test_what_hardly_varies_is_measured_by_the_least_spread() -> None:
    told = distance(window(brightness=[101.0] * 50), baseline_of(brightness=[100.0] * 50))
    assert told["brightness"].shift == pytest.approx(0.25)


def test_few_values_tell_nothing() -> None:
    usual = baseline_of(confidence=normal(0.8, 0.1))
    assert distance(window(confidence=[0.1] * (ENOUGH - 1)), usual) == {}
    assert distance(window(confidence=[0.1] * ENOUGH), usual)["confidence"].far


def test_an_old_baseline_is_compared_with_nothing() -> None:
    old = msgspec.structs.replace(sketch_of("confidence", [0.5] * 50), mean=None)
    assert usual_of_tests(Baseline(images=1, sketches={"confidence": old}), DIGEST).levels == {}


def test_a_class_that_was_never_there_is_far_when_it_is_a_part_of_what_is_found() -> None:
    usual = baseline_of({"tag": 1.0})
    assert distance(window(classes={"tag": 190, "hole": 10}), usual)["class:hole"].far
    assert not distance(window(classes={"tag": 199, "hole": 1}), usual)["class:hole"].far


def test_a_class_that_is_missing_is_below() -> None:
    told = distance(window(classes={"tag": 100}), baseline_of({"tag": 0.5, "hole": 0.5}))
    assert (told["class:hole"].side, told["class:tag"].side) == (0, 0)  # one deviation is the limit, and it is met
    told = distance(window(classes={"tag": 100}), baseline_of({"tag": 0.3, "hole": 0.7}))
    assert (told["class:hole"].side, told["class:tag"].side) == (-1, 1)


def test_what_has_no_name_of_its_own_counts_and_is_no_class() -> None:
    usual = baseline_of({"tag": 1.0})
    assert set(distance(window(classes={"other": 100, "tag": 100}), usual)) == {"class:tag"}
    told = distance(window(classes={"tag": 150, "other": 50}), usual)
    assert set(told) == {"class:tag"}
    assert told["class:tag"].shift == pytest.approx(-2.5)  # a quarter fewer, in deviations of 0.1


def test_histograms_without_a_common_value_are_wholly_apart() -> None:
    low, high = sketch_of("confidence", [0.1] * 9), sketch_of("confidence", [0.9] * 5)
    assert apart(low, high) == 1.0
    assert apart(low, low.merged(low)) == 0.0
    assert apart(low, sketch_of("brightness", [1])) is None


def step(shift: float) -> dict[str, Distance]:
    return {"confidence": Distance(shift=shift, limit=0.5, count=100)}


def held_after(*shifts: float) -> Iterator[dict[str, int]]:
    held = Held()
    for shift in shifts:
        held = held.after(step(shift))
        yield held.sides


def test_two_of_three_windows_on_one_side_count() -> None:
    assert list(held_after(1, 0, 1, 0, 0)) == [{}, {}, {"confidence": 1}, {}, {}]
    assert list(held_after(1, -1, 1))[-1] == {"confidence": 1}
    assert list(held_after(1, -1, 0)) == [{}, {}, {}]


def test_a_window_that_does_not_tell_changes_nothing() -> None:
    held = Held().after(step(-1)).after({}).after(step(-1))
    assert held.sides == {"confidence": -1}
    assert held.after({}).sides == {"confidence": -1}


def week(*, light: float, product: float, days: int = 7, seed: int = 3) -> list[DriftWindow]:
    """Windows of some days: brightness follows the sun, confidence the product, which changes every four hours."""
    drawn, found, kind = random.Random(seed), [], 0.0
    for day in range(1, days + 1):
        for slot in range(144):
            hour = slot // 6
            sun = light * max(0.0, 1 - abs(hour - 12) / 6)
            kind = product * drawn.choice((-1, 1)) if slot % 24 == 0 else kind
            found.append(
                window(
                    f"2026-01-{day:02}T{hour:02}:{slot % 6}0:00Z",
                    brightness=normal(80 + sun, 8, 40, drawn.randrange(1 << 30)),
                    confidence=normal(0.8 + kind, 0.05, 40, drawn.randrange(1 << 30)),
                )
            )
    return found


def test_noon_is_held_against_noons_and_midnight_against_midnights() -> None:
    usual = usual_of_field(DIGEST, map(seen, week(light=60, product=0)))
    assert usual is not None
    noon = normal(140, 8, 100)
    assert not distance(window("2026-01-20T12:00:00Z", brightness=noon), usual)["brightness"].far
    assert distance(window("2026-01-20T00:00:00Z", brightness=noon), usual)["brightness"].far


def test_products_that_were_seen_are_usual_and_less_confidence_than_any_of_them_is_not() -> None:
    usual = usual_of_field(DIGEST, map(seen, week(light=0, product=0.02)))
    assert usual is not None
    for hour in (0, 7, 13):
        at = f"2026-01-20T{hour:02}:00:00Z"
        for usual_mean in (0.78, 0.82):
            assert not distance(window(at, confidence=normal(usual_mean, 0.05, 100)), usual)["confidence"].far
        assert distance(window(at, confidence=normal(0.74, 0.05, 100)), usual)["confidence"].side == -1


def test_a_few_days_are_no_week() -> None:
    assert usual_of_field(DIGEST, map(seen, week(light=0, product=0, days=3))) is None
    assert usual_of_field(DIGEST, []) is None


def test_what_is_usual_travels_as_json_and_is_small() -> None:
    usual = usual_of_field(DIGEST, map(seen, week(light=30, product=0.01)))
    assert usual is not None
    data = msgspec.json.encode(usual)
    assert msgspec.json.decode(data, type=Usual) == usual
    assert len(data) < 8000


@pytest.mark.parametrize(
    ("sides", "name", "said"),
    [
        ({"brightness": -1, "sharpness": -1}, "light", "darker"),
        ({"warmth": 1}, "light", "another colour"),
        ({"sharpness": -1, "contrast": -1}, "sensor_dirty", "lens"),
        ({"place_x": 1}, "camera_moved", "another place"),
        ({"box_area": -1}, "camera_moved", "another size"),
        ({"class:hole": 1}, "new_class", "hole"),
        ({"confidence": -1}, "model_unsure", "never learned"),
        ({"latency": 1}, "slower", "machine"),
    ],
)
def test_what_went_where_hints_at_a_cause(sides: dict[str, int], name: str, said: str) -> None:
    told = {one: Distance(shift=3.0 * side, limit=1.0, count=50) for one, side in sides.items()}
    first, *others = causes(told)
    assert first.name == name
    assert said in first.sentence
    assert not others


def test_several_causes_come_with_the_most_telling_first() -> None:
    told = {
        "confidence": Distance(shift=-1.2, limit=1.0, count=50),
        "brightness": Distance(shift=-4.0, limit=1.0, count=50),
        "contrast": Distance(shift=0.2, limit=1.0, count=50),
    }
    assert [one.name for one in causes(told)] == ["light", "model_unsure"]
    assert causes({"contrast": told["contrast"]}) == ()
    assert [one.name for one in causes(told, {"confidence": -1})] == ["model_unsure"]
