"""A candidate in the shadow: it looks at a sample within its share, says where it disagrees, and decides nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.contract.capture import CaptureRecord
from lineside.contract.errors import LinesideError
from lineside.contract.result import Detection, Result
from lineside.contract.shadow import ShadowState
from lineside.runtime.captures.chooser import Chooser
from lineside.runtime.captures.keeper import Keeper
from lineside.runtime.captures.settings import CaptureSettings
from lineside.runtime.captures.store import CaptureFolder
from lineside.runtime.decode import Picture
from lineside.runtime.frames import Frame
from lineside.runtime.model import Model
from lineside.runtime.models.settings import ShadowSettings
from lineside.runtime.models.shadow import Shadow, Share
from tests.eventually import PATIENCE, eventually
from tests.runtime.conftest import encoded, squares
from tests.runtime.results import result

EVERYTHING = ShadowSettings(model="", share=1.0, cpu=10.0)
ONE, NONE = encoded(squares((24, 40))), encoded(squares())
THRESHOLD = 0.6


def frame(data: bytes | Picture, name: str = "a.png") -> Frame:
    return Frame("line", name, data, 0.0, 0.0)


def decided(detections: list[Detection], name: str = "a.png") -> Result:
    return result(name, detections=tuple(detections))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shadow(bright: Model, clock: Clock) -> Shadow:
    return made(bright, clock)


def made(model: Model, clock: Clock, settings: ShadowSettings = EVERYTHING, **more: object) -> Shadow:
    shadow = Shadow(settings, lambda: model, monotonic=clock, **more)  # type: ignore[arg-type]
    shadow.start()
    eventually(lambda: shadow.status.state is ShadowState.LOOKING)
    clock.now += 10.0
    return shadow


def looked(shadow: Shadow, data: bytes | Picture, detections: list[Detection], name: str = "a.png") -> None:
    """Has it look at one frame that was decided like this."""
    before = shadow.status
    then = shadow.turn(frame(data, name), THRESHOLD)
    assert then is not None
    then(decided(detections, name))
    eventually(lambda: shadow.status.looked + shadow.status.failed > before.looked + before.failed)
    eventually(lambda: shadow.status.cpu_seconds > before.cpu_seconds)


def test_where_both_find_the_same_they_agree(shadow: Shadow, bright: Model) -> None:
    looked(shadow, ONE, bright.detect(ONE))
    looked(shadow, NONE, [])
    looked(shadow, Picture.of(squares((24, 40))), bright.detect(ONE))
    status = shadow.status
    assert (status.sampled, status.looked, status.agreed) == (3, 3, 3)
    assert (status.model, status.version, status.digest) == ("bright", 3, bright.digest)


def test_what_only_one_of_them_finds_is_counted_on_its_side(shadow: Shadow, bright: Model) -> None:
    looked(shadow, ONE, [])
    looked(shadow, NONE, bright.detect(ONE))
    looked(shadow, encoded(squares((24, 40), (0, 0))), [])
    status = shadow.status
    assert (status.looked, status.agreed) == (3, 0)
    assert (status.only_new, status.only_old) == (3, 1)  # the candidate is the new one


def test_disagreements_are_captured_with_the_decision_and_no_more_than_are_asked_for(
    bright: Model, clock: Clock, tmp_path: Path
) -> None:
    chooser = Chooser(CaptureSettings(random=0.0, similar=None), shadow_per_hour=2.0)
    keeper = Keeper(chooser, CaptureFolder(tmp_path))
    settings = ShadowSettings(model="", share=1.0, cpu=10.0)
    shadow = made(bright, clock, settings, keep=keeper.disagreed)
    looked(shadow, ONE, bright.detect(ONE))
    looked(shadow, Picture.of(squares((24, 40))), [], "live.jpg")
    looked(shadow, ONE, [], "b.png")
    looked(shadow, ONE, [], "again.png")
    looked(shadow, encoded(squares((0, 0))), [], "c.png")
    found = (msgspec.json.decode(path.read_bytes(), type=CaptureRecord) for path in tmp_path.glob("*.json"))
    records = sorted(found, key=lambda record: record.content_type)
    assert [record.strategy for record in records] == ["shadow", "shadow"]
    assert [record.result and record.result.image for record in records] == ["live.jpg", "b.png"]
    assert records[0].content_type == "image/jpeg"
    assert "bright 3, in the shadow, finds 1 that were not decided" in records[1].reason
    assert (tmp_path / f"{records[1].id}.bin").read_bytes() == ONE
    assert shadow.status.kept == 2


def test_it_samples_the_share_that_is_asked_for(bright: Model, clock: Clock) -> None:
    draws = iter([0.05, 0.2, 0.95, 0.1, 0.0])
    shadow = made(bright, clock, ShadowSettings(model="", share=0.1, cpu=10.0), draw=lambda: next(draws))
    taken = [shadow.turn(frame(ONE), THRESHOLD) is not None for _ in range(5)]
    assert taken == [True, False, False, False, True]
    assert shadow.status.sampled == 2


def test_when_it_is_busy_frames_go_without_it(bright: Model, clock: Clock) -> None:
    gate = threading.Event()

    class Slow:
        identity, signature, digest = bright.identity, bright.signature, bright.digest

        def detect(self, data: bytes) -> list[Detection]:
            gate.wait(PATIENCE)
            return []

    shadow = made(Slow(), clock)  # type: ignore[arg-type]
    for _ in range(50):
        then = shadow.turn(frame(ONE), THRESHOLD)
        if then is not None:
            then(decided([]))
    assert (shadow.status.sampled, shadow.status.passed) == (50, 48)
    gate.set()
    eventually(lambda: shadow.status.looked == 2)
    assert eventually(lambda: shadow.turn(frame(ONE), THRESHOLD)) is not None


@given(
    st.floats(0.01, 1.0),
    st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 3.0)), min_size=1, max_size=60),
)
def test_it_takes_no_more_than_its_share_and_one_look(cpu: float, days: list[tuple[float, float]]) -> None:
    clock = Clock()
    share, spent = Share(cpu, clock), 0.0
    for pause, cost in days:
        clock.now += pause
        if share.left():
            assert spent <= cpu * clock.now + 1e-6
            spent += cost
            share.spent(cost)


def test_what_was_not_used_is_not_saved_for_ever() -> None:
    clock = Clock()
    share = Share(0.1, clock)
    clock.now = 3600.0
    assert share.left()
    share.spent(0.3)
    assert not share.left()
    clock.now += 1.1
    assert share.left()


def failing(error: Exception) -> Callable[[], Model]:
    def load() -> Model:
        raise error

    return load


@pytest.mark.parametrize(
    "error", [LinesideError("golden.mismatched", image="a", difference="b"), MemoryError("no room"), ValueError("?")]
)
def test_one_that_cannot_be_loaded_is_off_and_says_why(error: Exception) -> None:
    shadow = Shadow(EVERYTHING, failing(error))
    assert shadow.turn(frame(ONE), THRESHOLD) is None  # not loaded yet
    shadow.start()
    eventually(lambda: shadow.status.state is ShadowState.OFF)
    assert str(error) in shadow.status.why
    assert shadow.turn(frame(ONE), THRESHOLD) is None


def test_one_that_fails_on_an_image_goes_on(shadow: Shadow, bright: Model) -> None:
    looked(shadow, b"no image", [])
    looked(shadow, ONE, bright.detect(ONE))
    assert (shadow.status.failed, shadow.status.looked, shadow.status.agreed) == (1, 1, 1)


def test_it_stops(shadow: Shadow) -> None:
    shadow.stop()
    assert not shadow._thread.is_alive()
    assert shadow.turn(frame(ONE), THRESHOLD) is None
    shadow.stop()
