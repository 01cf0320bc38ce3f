"""Windows are filled, judged, told and kept over restarts."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from lineside.contract import topics
from lineside.contract.drift import BASELINE_FILE, BASELINE_SCHEMA, QUANTITIES, DriftWindow
from lineside.runtime.decider import Decider, Verdict
from lineside.runtime.decode import Picture
from lineside.runtime.drift.gathering import baseline_of
from lineside.runtime.drift.settings import DriftSettings
from lineside.runtime.drift.watch import MOST_WAITING, DriftWatch
from lineside.runtime.frames import Frame
from lineside.runtime.model import Model
from tests.eventually import eventually
from tests.runtime.conftest import encoded, squares
from tests.runtime.lines import Gated

T0 = 1_767_225_600.0  # midnight


class Clock:
    def __init__(self, now: float = T0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Broker:
    """Hears what is said, or is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away, self.said = away, list[DriftWindow]()

    def __call__(self, topic: str, payload: bytes) -> bool:
        if not self.away:
            assert topic == topics.drift("cam-1")
            self.said.append(msgspec.json.decode(payload, type=DriftWindow))
        return not self.away


def frame_of(pixels: NDArray[np.uint8], source: str = "inbox") -> Frame:
    return Frame(source, "1.png", Picture.of(pixels), T0, time.monotonic())


def decided(model: Model, pixels: NDArray[np.uint8]) -> Verdict:
    """A decision as a model makes it that takes half a second: there is time for a look at each."""
    verdict = Decider(Gated(model), "cam-1").decide(frame_of(pixels))
    assert isinstance(verdict, Verdict)
    answer = verdict.answer
    return replace(verdict, answer=replace(answer, inference=replace(answer.inference, latency_ms=500.0)))


def scenes(light: int = 0, seed: int = 0) -> list[NDArray[np.uint8]]:
    """A few pictures with one square each, on grey ground of changing brightness."""
    drawn = np.random.default_rng(seed)
    found = []
    for _ in range(8):
        pixels = np.full((64, 64, 3), 40 + light + drawn.integers(0, 20), np.uint8)
        x, y = drawn.integers(0, 7, 2) * 8
        pixels[y : y + 8, x : x + 8] = 255
        found.append(pixels)
    return found


def run_through(
    watch: DriftWatch, clock: Clock, verdicts: list[Verdict], frames: int = 40, seconds: float = 600
) -> None:
    """Fills a window and ends it."""
    for number in range(frames):
        verdict = verdicts[number % len(verdicts)]
        watch.saw(frame_of(squares()), verdict)
        clock.now += seconds / frames
    watch.step()


def component(model: Model, folder: Path, pictures: list[NDArray[np.uint8]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / BASELINE_FILE).write_bytes(msgspec.json.encode(baseline_of(model, map(encoded, pictures))))
    return folder


def watching(work: Path, clock: Clock, broker: Broker | None, model: Path | None = None, **said: object) -> DriftWatch:
    watch = DriftWatch(
        DriftSettings(**said), work, device="cam-1", component="tags.inference", folder_of=lambda _: model, now=clock
    )
    watch.start(broker)
    return watch


def test_a_baseline_is_of_the_test_images_by_the_code_that_devices_run(bright: Model) -> None:
    baseline = baseline_of(bright, [encoded(squares((8, 8))), encoded(squares()), encoded(squares((0, 0), (40, 40)))])
    assert (baseline.schema, baseline.images, baseline.classes) == (BASELINE_SCHEMA, 3, {"bright": 1.0})
    assert set(baseline.sketches) == set(QUANTITIES) - {"latency"}
    assert baseline.sketches["detections"].counts[:3] == (1, 1, 1)
    assert baseline.sketches["detections"].mean == 1.0
    assert baseline.sketches["confidence"].count == baseline.sketches["box_area"].count == 3
    assert baseline.sketches["box_area"].mean == pytest.approx(-6)  # 64 of 4096 pixels


def test_a_window_tells_what_was_seen_and_said(bright: Model, tmp_path: Path) -> None:
    clock, broker = Clock(), Broker()
    watch = watching(tmp_path, clock, broker, k=3, n=4)
    run_through(watch, clock, [decided(bright, squares((8, 8), (40, 40)))], frames=50)
    watch.stop()
    (window,) = broker.said
    assert (window.device, window.component, window.source) == ("cam-1", "tags.inference", "")
    assert (window.model, window.version, window.digest) == ("bright", 3, bright.digest)
    assert (window.began_at, window.seconds, window.frames) == ("2026-01-01T00:00:00.000Z", 600.0, 50)
    assert (window.k, window.n) == (3, 4)  # by which rule the control plane shall judge
    assert window.classes == {"bright": 100}
    assert window.sketches["detections"].mean == 2.0
    assert window.sketches["latency"].count == 50
    assert 0 < window.looked == window.sketches["brightness"].count


def test_a_slow_line_can_afford_to_look_at_every_picture(bright: Model, tmp_path: Path) -> None:
    verdict = decided(bright, squares((8, 8)))
    answer = replace(verdict.answer, inference=replace(verdict.answer.inference, latency_ms=5.0))
    looked = {}
    for share in (0.005, 1.0):
        clock, broker = Clock(), Broker()
        watch = watching(tmp_path / str(share), clock, broker, look_share=share)
        run_through(watch, clock, [replace(verdict, answer=answer)], frames=40)
        watch.stop()
        looked[share] = broker.said[0].looked
    assert 0 < looked[0.005] < looked[1.0] == 40


def test_windows_begin_with_the_clock_and_nothing_is_told_of_silence(bright: Model, tmp_path: Path) -> None:
    clock, broker = Clock(T0 + 150), Broker()
    watch = watching(tmp_path, clock, broker)
    verdict = decided(bright, squares((8, 8)))
    run_through(watch, clock, [verdict], seconds=450)  # to the end of the slot
    clock.now += 3000
    watch.step()
    run_through(watch, clock, [verdict], seconds=601)
    watch.stop()
    assert [(one.began_at[11:19], one.seconds) for one in broker.said] == [("00:02:30", 450.0), ("01:00:00", 600.0)]


def test_other_light_is_a_reason_after_two_windows_and_none_when_it_is_as_before(bright: Model, tmp_path: Path) -> None:
    clock, broker = Clock(), Broker()
    watch = watching(tmp_path / "drift", clock, broker, component(bright, tmp_path / "model", scenes()))
    usual, other = ([decided(bright, one) for one in scenes(light)] for light in (0, 60))
    run_through(watch, clock, usual, frames=400)
    assert watch.drifting("inbox") == ""
    run_through(watch, clock, other, frames=400)
    assert watch.drifting("inbox") == ""
    run_through(watch, clock, other, frames=400)
    assert "brightness above" in watch.drifting("inbox")
    assert "light" in watch.drifting("inbox") or "lamps" in watch.drifting("inbox")
    for _ in range(2):
        run_through(watch, clock, usual, frames=400)
    assert watch.drifting("inbox") == ""
    watch.stop()


def test_without_a_baseline_nothing_drifts_and_all_is_told(bright: Model, tmp_path: Path) -> None:
    clock, broker = Clock(), Broker()
    watch = watching(tmp_path, clock, broker, tmp_path / "nowhere")
    for light in (0, 100, 100):
        run_through(watch, clock, [decided(bright, one) for one in scenes(light)])
    watch.stop()
    assert watch.drifting("inbox") == ""
    assert len(broker.said) == 3


def test_a_restart_goes_on_with_the_open_window_and_with_what_was_far(bright: Model, tmp_path: Path) -> None:
    clock, broker = Clock(), Broker()
    model = component(bright, tmp_path / "model", scenes())
    other = [decided(bright, one) for one in scenes(60)]
    watch = watching(tmp_path / "drift", clock, broker, model)
    run_through(watch, clock, other, frames=400)
    run_through(watch, clock, other, frames=200, seconds=300)
    watch.stop()
    watch = watching(tmp_path / "drift", clock, broker, model)
    run_through(watch, clock, other, frames=200, seconds=300)
    watch.stop()
    assert [one.frames for one in broker.said] == [400, 400]
    assert [one.began_at[11:16] for one in broker.said] == ["00:00", "00:10"]
    assert broker.said[1].sketches["detections"].count == 400
    assert "brightness above" in watch.drifting("inbox")


def test_two_versions_of_one_file_have_windows_and_a_usual_of_their_own(
    bright: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, broker = Clock(), Broker()
    seen = [decided(bright, one) for one in scenes(60)]
    model = component(bright, tmp_path / "model", scenes())
    dark = watching(tmp_path / "drift", clock, broker, model)
    run_through(dark, clock, seen, frames=400, seconds=1200)
    assert "brightness above" in dark.drifting("inbox")
    run_through(dark, clock, seen, frames=10, seconds=100)
    dark.stop()
    monkeypatch.setattr(bright, "identity", msgspec.structs.replace(bright.identity, version=4))
    light = watching(tmp_path / "drift", clock, broker, component(bright, tmp_path / "next", scenes(60)))
    run_through(light, clock, [decided(bright, one) for one in scenes(60)], frames=400, seconds=1200)
    light.stop()
    assert light.drifting("inbox") == ""
    assert len({window.key for window in broker.said}) == len(broker.said)
    assert sorted(window.version for window in broker.said) == [3, 3, 3, 4, 4]


def test_windows_wait_an_hour_for_a_broker_over_restarts(bright: Model, tmp_path: Path) -> None:
    clock, broker = Clock(), Broker(away=True)
    verdicts = [decided(bright, squares((8, 8)))]
    for _ in range(9):  # each of them a run
        watch = watching(tmp_path, clock, broker)
        run_through(watch, clock, verdicts)
        watch.stop()
    broker.away = False
    watch = watching(tmp_path, clock, broker)
    eventually(lambda: broker.said)
    watch.stop()
    assert [one.began_at[11:16] for one in broker.said] == [
        "00:20",
        "00:30",
        "00:40",
        "00:50",
        "01:00",
        "01:10",
        "01:20",
    ]
    assert MOST_WAITING > 60


def test_what_is_damaged_on_disk_ends_nothing(bright: Model, tmp_path: Path) -> None:
    clock, broker = Clock(), Broker()
    for name in ("open.json", "waiting.json"):
        (tmp_path / name).write_bytes(b'[{"device":')
    (tmp_path / BASELINE_FILE).write_bytes(b"\x00\xff{")
    watch = watching(tmp_path, clock, broker, tmp_path)
    run_through(watch, clock, [decided(bright, squares((8, 8)))])
    watch.stop()
    assert len(broker.said) == 1


def test_a_week_in_the_field_becomes_what_is_usual(bright: Model, tmp_path: Path) -> None:
    """The model was tested in other light: after a week of it, that is what is usual, over a restart, too."""
    clock = Clock()
    field = [decided(bright, one) for one in scenes(8)]
    model = component(bright, tmp_path / "model", scenes())
    watch = watching(tmp_path / "drift", clock, None, model, every_minutes=60)
    for _ in range(7 * 24):
        run_through(watch, clock, field, frames=36, seconds=3600)
    weeks = list((tmp_path / "drift").glob("*.week.jsonl"))
    assert len(weeks[0].read_bytes().splitlines()) == 7 * 24
    run_through(watch, clock, field, frames=36, seconds=3600)
    assert not list((tmp_path / "drift").glob("*.week.jsonl"))
    watch.stop()
    watch = watching(tmp_path / "drift", clock, None, model, every_minutes=60)
    run_through(watch, clock, field, frames=300, seconds=3600)
    assert watch.drifting("inbox") == ""
    tested = [decided(bright, one) for one in scenes()]
    for _ in range(2):
        run_through(watch, clock, tested, frames=300, seconds=3600)
    assert "brightness below" in watch.drifting("inbox")
    watch.stop()


def test_what_breaks_in_a_statistic_is_no_matter_of_decisions(
    bright: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watching(tmp_path, Clock(), None)
    monkeypatch.setattr(watch._windows, "saw", lambda frame, verdict: 1 / 0)
    for _ in range(3):
        watch.saw(frame_of(squares()), decided(bright, squares()))
    watch.stop()
    assert capsys.readouterr().out.count("drift.failed") == 1


@pytest.mark.parametrize(
    "said", [{"k": 3, "n": 2}, {"every_minutes": 0}, {"every_minutes": 61}, {"k": 0}, {"look_share": 0}]
)
def test_settings_that_cannot_be_are_refused(said: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(said, DriftSettings)
