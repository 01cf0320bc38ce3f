"""Rules: which detections count, when a rule fires, when it is late, and what is refused at load."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.contract.result import Detection, Fired, Result, RuleEvent
from lineside.runtime.rules import Rules, RuleSettings
from lineside.runtime.rules.messages import events_of
from lineside.runtime.spool import Entry
from tests.runtime.test_delivery import result


def found(label: str = "scratch", confidence: float = 0.9, x: float = 10, y: float = 10, side: float = 4) -> Detection:
    return Detection(label=label, class_index=0, confidence=confidence, x=x, y=y, width=side, height=side)


def fires(rule: dict[str, Any], *detections: Detection, size: tuple[float, float] | None = None) -> bool:
    settings_ = msgspec.convert(rule, RuleSettings)
    return bool(Rules({"rule": settings_}).judge("cam", detections, 0.0, size=size))


ZONE = [[0, 0], [20, 0], [20, 20], [0, 20]]


@pytest.mark.parametrize(
    ("rule", "detections", "expected"),
    [
        ({}, [], False),
        ({}, [found()], True),
        ({"classes": ["dent", "scratch"]}, [found()], True),
        ({"classes": ["dent"]}, [found()], False),
        ({"confidence": [0.9, 1.0]}, [found(confidence=0.9)], True),
        ({"confidence": [0.91, 1.0]}, [found(confidence=0.9)], False),
        ({"confidence": [0.2, 0.5]}, [found(confidence=0.9)], False),
        ({"area": [16, 16]}, [found(side=4)], True),
        ({"area": [0, 15.9]}, [found(side=4)], False),
        ({"zone": ZONE}, [found(x=18, y=18)], True),  # its centre lies on the corner
        ({"zone": ZONE}, [found(x=19, y=18)], False),
        ({"zone": ZONE, "anchor": "bottom"}, [found(x=10, y=16)], True),
        ({"zone": ZONE, "anchor": "bottom"}, [found(x=10, y=17)], False),
        ({"at_least": 2}, [found()], False),
        ({"at_least": 2}, [found(), found("dent")], True),
        ({"at_least": 2, "classes": ["dent"]}, [found(), found("dent")], False),
        ({"at_least": 1, "at_most": 1}, [found(), found()], False),
        ({"at_least": 0, "at_most": 0, "classes": ["cap"]}, [found()], True),  # something is missing
        ({"at_least": 0, "at_most": 0, "classes": ["cap"]}, [found("cap")], False),
    ],
)
def test_what_counts(rule: dict[str, Any], detections: list[Detection], expected: bool) -> None:
    assert fires(rule, *detections) is expected


def test_zones_and_areas_in_shares_fit_pictures_of_any_size() -> None:
    zone = {"unit": "shares", "zone": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}
    for wide in (100, 1000):
        assert fires(zone, found(x=wide * 0.6, y=0), size=(wide, 10))
        assert not fires(zone, found(x=wide * 0.4, y=0), size=(wide, 10))
    assert fires({"unit": "shares", "area": [0.16, 0.16]}, found(side=4), size=(10, 10))
    assert not fires({"unit": "shares", "area": [0.17, 1]}, found(side=4), size=(10, 10))


def test_an_event_says_which_rule_what_to_do_and_why() -> None:
    rule = RuleSettings(action="reject", classes=("scratch",), zone=((0, 0), (20, 0), (20, 20)), frames=(2, 3))
    rules = Rules({"scratched": rule, "any": RuleSettings(action="look")})
    rules.judge("cam", [], 0.0)
    rules.judge("cam", [found(x=15, y=5)], 0.0)
    first, second = rules.judge("cam", [found(x=15, y=5), found(x=15, y=5)], 0.0)
    assert first == Fired(name="scratched", action="reject", why="2 of scratch in the zone, in 2 of the last 3 frames.")
    assert second == Fired(name="any", action="look", why="2 of detections.")


@pytest.mark.parametrize(
    ("decided", "late"), [(None, False), (1000.0, False), (1000.05, False), (1000.051, True), (900.0, False)]
)
def test_an_event_after_its_deadline_is_marked_late(decided: float | None, late: bool) -> None:
    """A clock that went back makes nothing late."""
    rules = Rules({"a": RuleSettings(deadline_ms=50.5), "b": RuleSettings()})
    with_deadline, without = rules.judge("cam", [found()], 1000.0, decided)
    assert (with_deadline.late, with_deadline.deadline_ms) == (late, 50.5)
    assert (without.late, without.deadline_ms) == (False, None)


class SlowModel:
    """n of m frames from a full memory of each source's frames."""

    def __init__(self, needed: int, looked_at: int, repeat: bool) -> None:
        self.needed, self.looked_at, self.repeat = needed, looked_at, repeat
        self.frames: dict[str, list[bool]] = {}

    def holds(self, frames: list[bool]) -> bool:
        return len([met for met in frames[-self.looked_at :] if met]) >= self.needed

    def judge(self, source: str, met: bool) -> bool:
        frames = self.frames.setdefault(source, [])
        before = self.holds(frames)
        frames.append(met)
        return self.holds(frames) and (self.repeat or not before)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 6).flatmap(lambda m: st.tuples(st.integers(1, m), st.just(m))),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60),
)
def test_n_of_m_frames_against_a_slow_model(
    window: tuple[int, int], repeat: bool, frames: list[tuple[str, bool]]
) -> None:
    model = SlowModel(*window, repeat)
    rules = Rules({"rule": RuleSettings(frames=window, repeat=repeat)})
    for source, met in frames:
        detections = [found()] if met else []
        assert bool(rules.judge(source, detections, 0.0)) == model.judge(source, met)


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("action", {"action": " "}),
        ("classes", {"classes": ["scrach"]}),
        ("confidence", {"confidence": [0.9, 0.5]}),
        ("confidence", {"confidence": [0, 1.5]}),
        ("confidence", {"confidence": [float("nan"), 1]}),
        ("area", {"area": [-1, 5]}),
        ("area", {"area": [0, 2], "unit": "shares"}),
        ("zone", {"zone": [[0, 0], [1, 1]]}),
        ("zone", {"zone": [[0, 0], [1, 1], [2, 2]]}),
        ("zone", {"zone": [[0, 0], [5, 0], [5, float("inf")]]}),
        ("zone", {"zone": [[0, 0], [5, 0], [5, 5]], "unit": "shares"}),
        ("zone", {"zone": [[0, 0], [-5, 0], [5, 5]]}),
        ("zone", {"zone": [[0, n] for n in range(101)]}),
        ("at_least", {"at_least": -1}),
        ("at_least", {"at_least": 0}),
        ("at_most", {"at_least": 2, "at_most": 1}),
        ("frames", {"frames": [3, 2]}),
        ("frames", {"frames": [0, 2]}),
        ("frames", {"frames": [1, 1001]}),
        ("deadline_ms", {"deadline_ms": 0}),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_rule_and_the_key(key: str, rule: dict[str, Any]) -> None:
    with pytest.raises(LinesideError) as caught:
        Rules({"mine": msgspec.convert(rule, RuleSettings)}, labels=("scratch", "dent"))
    assert caught.value.code == "rules.invalid"
    assert f"rule mine cannot be followed: {key} is wrong" in caught.value.message
    if key == "classes":
        assert "did you mean 'scratch'" in caught.value.message


def test_a_rule_without_a_name_is_refused() -> None:
    with pytest.raises(LinesideError, match="name is wrong"):
        Rules({"": RuleSettings()})


def test_events_become_messages_of_their_own() -> None:
    fired = (
        Fired(name="a", action="reject", why="1 of x.", late=False, deadline_ms=50.0),
        Fired(name="b", action="stop", why='2 of "events":[{.'),
    )
    made = msgspec.structs.replace(result(7), events=fired, late=True, source="cam-1")
    first, second = (
        msgspec.json.decode(each, type=RuleEvent) for each in events_of(Entry(7, msgspec.json.encode(made)))
    )
    assert (first.sequence, first.source, first.name, first.action, first.late) == (7, "cam-1", "a", "reject", True)
    assert (second.name, second.why, second.deadline_ms) == ("b", '2 of "events":[{.', None)


@pytest.mark.parametrize("image", ["a.jpg", '"events":[{', '\\"events":[{"'])
def test_a_result_without_events_makes_no_messages_whatever_it_is_called(image: str) -> None:
    made = msgspec.structs.replace(result(1), image=image)
    assert events_of(Entry(1, msgspec.json.encode(made))) == []
    assert msgspec.json.decode(msgspec.json.encode(made), type=Result) == made
