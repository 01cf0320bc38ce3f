"""The chooser: strategies in order, each within its budget, nothing twice."""

from __future__ import annotations

import pytest

from lineside.contract.ids import digest_of
from lineside.contract.result import Detection
from lineside.runtime.captures.chooser import Chooser, Wanted
from lineside.runtime.captures.counts import CaptureStatus, StrategyCounts, Tally
from lineside.runtime.captures.passed import Passed
from lineside.runtime.captures.settings import CaptureSettings
from lineside.runtime.captures.strategies import Seen

DATA = b"\xff\xd8\xff picture"


def found(confidence: float) -> list[Detection]:
    return [Detection(label="scratch", class_index=0, confidence=confidence, x=0, y=0, width=1, height=1)]


class Choosing:
    """A chooser whose clock a test sets, asked with the bytes of an image and what was found."""

    def __init__(self, at: list[float] | None = None, **settings: object) -> None:
        clock = at or [0.0]
        passed = Passed(counter=lambda: clock[0], wall=lambda: clock[0], boot="one")
        self.tally = Tally()
        made = CaptureSettings(**{"random": 0.0, **settings})  # type: ignore[arg-type]
        self.chooser = Chooser(made, tally=self.tally, passed=passed)

    def choose(self, data: bytes, detections: list[Detection]) -> Wanted | None:
        return self.chooser.choose(Seen(digest_of(data), "in", detections, detections))

    @property
    def counts(self) -> dict[str, StrategyCounts]:
        self.tally.into(status := CaptureStatus())
        return status.strategies


def chooser(at: list[float] | None = None, **settings: object) -> Choosing:
    return Choosing(at, **settings)


def image(number: int) -> bytes:
    return DATA + number.to_bytes(4, "big")


@pytest.mark.parametrize(("confidence", "kept"), [(0.19, False), (0.2, True), (0.35, True), (0.5, True), (0.51, False)])
def test_an_uncertain_image_is_kept_with_its_numbers(confidence: float, kept: bool) -> None:
    wanted = chooser().choose(DATA, found(confidence))
    assert (wanted is not None) == kept
    if wanted:
        assert wanted.strategy == "uncertain"
        assert wanted.reason == f"scratch with confidence {confidence:.2f}, between 0.20 and 0.50."


def test_the_random_sample_is_a_share_of_contents_and_repeatable() -> None:
    def sample() -> set[int]:
        choose = chooser(random=0.1, uncertain=None, per_hour=1e9)
        return {number for number in range(4000) if choose.choose(image(number), [])}

    first = sample()
    assert first == sample()
    assert 300 < len(first) < 500


def test_the_same_content_is_kept_once() -> None:
    choose = chooser()
    assert choose.choose(DATA, found(0.3))
    assert choose.choose(DATA, found(0.3)) is None


def test_the_budget_of_an_hour_is_not_exceeded_and_comes_back() -> None:
    clock = [0.0]
    choose = chooser(clock, per_hour=8)
    kept = [number for number in range(100) if choose.choose(image(number), found(0.3))]
    assert len(kept) == 6
    clock[0] += 1800
    assert len([number for number in range(100, 200) if choose.choose(image(number), found(0.3))]) == 3


def test_uncertain_images_cannot_use_up_the_random_sample() -> None:
    choose = chooser(per_hour=8, random=0.5)
    strategies = [w.strategy for n in range(400) if (w := choose.choose(image(n), found(0.3)))]
    assert strategies.count("random") == 2
    assert strategies.count("uncertain") == 6


def test_a_budget_of_nothing_keeps_nothing() -> None:
    choose = chooser(per_hour=0, random=1.0)
    assert choose.choose(DATA, found(0.3)) is None
