"""The previous model beside the new one: what counts as agreeing, and that it never takes more than its share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.ids import digest_of
from lineside.contract.model import PreviousModel, Signature
from lineside.contract.result import Detection
from lineside.runtime.compare import NEAR, Comparer, agreement, comparer_of
from lineside.runtime.decode import Picture
from lineside.runtime.model import Inference, Model
from tests.runtime.conftest import BRIGHT, bright_model, encoded, squares, write_model
from tests.runtime.test_run import Device, put

BLIND = msgspec.structs.replace(BRIGHT, score_threshold=2.0)


def box(x: float, y: float = 0.0, confidence: float = 0.9, label: str = "dent", side: float = 10.0) -> Detection:
    return Detection(label=label, class_index=0, confidence=confidence, x=x, y=y, width=side, height=side)


BOXES = st.lists(
    st.builds(
        box,
        st.floats(0, 50),
        st.floats(0, 50),
        st.floats(0, 1),
        st.sampled_from(["dent", "scratch"]),
        st.floats(0.5, 30),
    ),
    max_size=8,
)


@given(BOXES)
def test_a_model_agrees_with_itself(found: list[Detection]) -> None:
    assert agreement(found, found).agrees
    assert agreement(found, found).matched == len(found)


@given(BOXES, BOXES)
def test_every_box_is_matched_once_or_left_over(new: list[Detection], previous: list[Detection]) -> None:
    answer = agreement(new, previous, (-NEAR, -NEAR))
    assert answer.matched + answer.only_new == len(new)
    assert answer.matched + answer.only_previous == len(previous)


@given(BOXES, BOXES, st.floats(0, 1))
def test_a_higher_threshold_never_makes_more_differences(
    new: list[Detection], previous: list[Detection], threshold: float
) -> None:
    strict, kind = agreement(new, previous), agreement(new, previous, (threshold, threshold))
    assert kind.only_new <= strict.only_new
    assert kind.only_previous <= strict.only_previous


def test_half_an_overlap_of_one_class_is_the_same_object() -> None:
    assert agreement([box(0)], [box(3.0)]).agrees  # IoU 7 / 13
    assert not agreement([box(0)], [box(4.0)]).agrees  # IoU 6 / 14
    assert not agreement([box(0)], [box(0, label="scratch")]).agrees


def test_the_most_confident_box_chooses_first() -> None:
    sure, unsure = box(0, confidence=0.9), box(2, confidence=0.5)
    answer = agreement([unsure, sure], [box(1)])
    assert (answer.matched, answer.only_new, answer.only_previous) == (1, 1, 0)


def test_what_lies_at_the_threshold_may_come_or_go() -> None:
    assert agreement([box(0, confidence=0.29)], [], (0.25, 0.25)).agrees
    assert not agreement([box(0, confidence=0.31)], [], (0.25, 0.25)).agrees
    assert not agreement([], [box(0, confidence=0.31)], (0.5, 0.25)).agrees


class _Slow:
    """A previous model that takes `times` as long as the images it is asked about say."""

    digest, signature = "sha256:slow", BRIGHT

    def __init__(self, taken_ms: float) -> None:
        self.taken_ms, self.asked = taken_ms, 0

    def detect_timed(self, picture: Picture) -> Inference:
        self.asked += 1
        return Inference([], self.taken_ms, picture)


@pytest.mark.parametrize("times", [0.1, 1.0, 5.0, 60.0])
def test_it_never_takes_more_than_its_share(times: float) -> None:
    previous = _Slow(10.0 * times)
    comparer = Comparer(previous, 20)  # type: ignore[arg-type]
    inference = Inference([], 10.0, Picture.of(squares()))
    for _ in range(5000):
        comparer.look(b"", inference, (), 0.6)
    one = previous.taken_ms
    assert previous.asked <= 250
    assert previous.asked * one <= 5000 * 10.0 / 20 + one
    assert previous.asked >= min(250, 5000 * 10.0 / 20 / one) - 1


def with_previous(folder: Path, signature: Signature = BRIGHT, data: bytes | None = None) -> Path:
    """A model's folder with another version of it beside."""
    data = bright_model() if data is None else data
    write_model(folder)
    (folder / "previous.onnx").write_bytes(data)
    about = PreviousModel(name="bright", version=2, digest=digest_of(bright_model()), signature=signature)
    (folder / "previous.json").write_bytes(msgspec.json.encode(about))
    return folder


def test_what_cannot_be_compared_with_stops_nothing(tmp_path: Path, bright: Model) -> None:
    assert comparer_of(write_model(tmp_path / "alone"), bright, 20) is None
    assert comparer_of(with_previous(tmp_path / "broken", data=b"no network"), bright, 20) is None
    renamed = msgspec.structs.replace(BRIGHT, labels=("dark",))
    assert comparer_of(with_previous(tmp_path / "renamed", renamed), bright, 20) is None
    good = with_previous(tmp_path / "good")
    assert comparer_of(good, bright, 0) is None
    assert comparer_of(good, bright, 1) is not None
    (good / "previous.json").write_bytes(b"{")
    assert comparer_of(good, bright, 1) is None


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path / "device", with_previous(tmp_path / "model", BLIND))
    yield made
    if made.process and made.process.poll() is None:
        made.stop(signal.SIGKILL)


def test_a_runtime_compares_every_nth_image_and_says_so_in_the_result(device: Device) -> None:
    device.configuration["compare_every"] = 2
    for n in range(8):
        put(device.inbox, f"{n}.png", encoded(squares(*(((24, 40),) if n >= 4 else ()))), age=90 - n)
    device.start()
    device.until(lambda status: status.published == 8)
    assert device.stop() == 0
    sampled = {one.image: one.compared for one in device.results() if one.compared is not None}
    assert "1.png" in sampled  # the second, and after it as often as its share of the time allows
    assert {one.digest for one in sampled.values()} == {digest_of(bright_model())}
    assert len(sampled) <= 4
    for image, compared in sampled.items():
        differs = int(image[0]) >= 4  # a blind model misses the square
        assert (compared.agrees, compared.only_new) == (not differs, int(differs))
    assert [event["event"] for event in device.events()].count("previous.loaded") == 1
