"""A video file: every frame once, in order, whatever comes in between."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from lineside.runtime.decode import Picture
from lineside.runtime.delivery import WAITING_AT_MOST
from lineside.runtime.frames import Frame, SourceState
from lineside.runtime.sources.moving import picture_of
from lineside.runtime.sources.video import VideoSource
from lineside.runtime.spool import InputKey
from tests.eventually import eventually
from tests.runtime.sources.cameras import SIDE, grey, write_video
from tests.runtime.sources.intake import Remembering

Made = Callable[..., tuple[VideoSource, Remembering]]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = write_video(tmp_path / "line.mkv", (grey(10 * number) for number in range(20)))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.fixture
def made() -> Iterator[Made]:
    started: list[tuple[VideoSource, Remembering]] = []

    def make(path: Path, *done: InputKey, intake: Remembering | None = None, **how: object) -> tuple[object, object]:
        source, intake = VideoSource("v", path, done, **how), intake or Remembering()
        source.start(intake)
        started.append((source, intake))
        return source, intake

    yield make
    for source, intake in started:
        intake.close()
        source.stop()


def key(path: Path, name: str) -> InputKey:
    found = path.stat()
    return InputKey(name, found.st_size, found.st_mtime_ns)


def test_every_frame_comes_in_order_with_its_pixels_its_key_and_its_time(made: Made, video: Path) -> None:
    source, intake = made(video)
    eventually(lambda: len(intake.frames) == 20)
    assert [int(frame.data.pixels[0, 0, 0]) for frame in intake.frames] == [10 * number for number in range(20)]
    assert intake.names == [f"line.mkv#{number}" for number in range(20)]
    assert intake.frames[3].key == key(video, "v/line.mkv#3")
    assert intake.frames[0].captured_at == pytest.approx(1_700_000_000 - 2, abs=0.2)  # 20 frames, 10 a second
    assert intake.frames[10].captured_at - intake.frames[0].captured_at == pytest.approx(1, abs=0.01)
    assert not source.live
    assert intake.remembered == []  # not before all are decided
    for frame in intake.frames:
        source.finished(frame)
    eventually(lambda: intake.remembered == [key(video, "v/line.mkv")])
    eventually(lambda: source.health().state is SourceState.ENDED)


def test_a_restart_goes_on_with_the_frame_after(made: Made, video: Path) -> None:
    _, intake = made(video, *(key(video, f"v/line.mkv#{number}") for number in (5, 6, 7)))
    eventually(lambda: len(intake.frames) == 12)
    assert intake.names[0] == "line.mkv#8"


def test_what_was_decided_wholly_is_not_played_again_and_its_frames_are_forgotten(made: Made, video: Path) -> None:
    forgotten: list[InputKey] = []
    done = key(video, "v/line.mkv"), key(video, "v/line.mkv#19"), key(video, "w/line.mkv#1")
    source, intake = made(video, *done, forget=forgotten.extend)
    eventually(lambda: source.health().state is SourceState.ENDED)
    assert intake.frames == []
    assert forgotten == [key(video, "v/line.mkv#19")]


def test_another_recording_under_the_name_is_played(made: Made, video: Path) -> None:
    source, intake = made(video, key(video, "v/line.mkv"))
    eventually(lambda: source.health().state is SourceState.ENDED)
    write_video(video.with_name("new.mkv"), [grey(7), grey(8)]).replace(video)
    eventually(lambda: len(intake.frames) == 2)


def test_every_third_frame(made: Made, video: Path) -> None:
    source, intake = made(video, every=3)
    eventually(lambda: len(intake.frames) == 7)
    assert intake.names[:3] == ["line.mkv#0", "line.mkv#3", "line.mkv#6"]
    for frame in intake.frames:
        source.finished(frame)
    eventually(lambda: intake.remembered)
    assert intake.skipped["thinned"] == 13


def finish(source: VideoSource, video: Path, numbers: Iterable[int]) -> Iterator[int]:
    """Says of frames that they are decided, as of a video that is long."""
    for number in numbers:
        name = f"line.mkv#{number}"
        source.finished(Frame("v", name, b"", 0.0, 0.0, key=key(video, f"v/{name}")))
        yield number


@pytest.mark.parametrize("every", [1, 5])
def test_old_frames_are_forgotten_while_it_plays_and_never_before_newer_ones_are_on_disk(
    made: Made, video: Path, every: int
) -> None:
    """As many frames may wait for the disk as fill a batch, and another may be being written: a power cut that loses
    them must find one that was decided before."""
    forgotten: list[InputKey] = []
    source, intake = made(video, forget=forgotten.extend, every=every)
    eventually(lambda: len(intake.frames) == 20 // every)
    for number in finish(source, video, range(0, 10_000 * every, every)):
        assert len(forgotten) <= max(0, number - 2 * WAITING_AT_MOST * every)
    assert len(forgotten) >= 3000 * every
    assert forgotten == [key(video, f"v/line.mkv#{number}") for number in range(len(forgotten))]


def test_a_full_disk_puts_forgetting_off(made: Made, video: Path) -> None:
    forgotten: list[InputKey] = []
    full = [OSError("disk full"), sqlite3.OperationalError("database or disk is full")]

    def forget(keys: list[InputKey]) -> None:
        if keys and full:
            raise full.pop()
        forgotten.extend(keys)

    source, intake = made(video, key(video, "w/line.mkv"), key(video, "v/line.mkv#0"), forget=forget)
    eventually(lambda: len(intake.frames) == 19)
    for _ in finish(source, video, range(1, 10_000)):
        pass
    assert full == []
    assert forgotten[:2000] == [key(video, f"v/line.mkv#{number}") for number in range(2000)]


def test_a_full_disk_at_the_start_keeps_no_video_from_playing(made: Made, video: Path, tmp_path: Path) -> None:
    def forget(keys: list[InputKey]) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    old = InputKey("v/line.mkv", 1, 1)
    source, intake = made(video, old, old._replace(name="v/line.mkv#7"), forget=forget)
    eventually(lambda: len(intake.frames) == 20)
    assert source.health().state is not SourceState.FAILED


def test_after_a_mishap_it_goes_on_where_it_was(made: Made, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what is decided nor what waits for a decision is handed in again, and nothing is left out."""
    monkeypatch.setattr("lineside.runtime.sources.threaded._FIRST_PAUSE", 0.01)
    left = [12]

    def scarce(frame: av.VideoFrame) -> Picture:
        left[0] -= 1
        if left[0] == 0:
            raise MemoryError
        return picture_of(frame)

    monkeypatch.setattr("lineside.runtime.sources.video.picture_of", scarce)
    source, intake = made(video, key(video, "v/line.mkv#2"))
    eventually(lambda: len(intake.frames) >= 5)
    for frame in intake.frames[:5]:
        source.finished(frame)
    eventually(lambda: source.health().state is SourceState.ENDED)
    assert intake.names == [f"line.mkv#{number}" for number in range(3, 20)]
    for frame in intake.frames[5:]:
        source.finished(frame)
    assert intake.remembered == [key(video, "v/line.mkv")]


def test_what_is_decided_late_of_the_recording_before_says_nothing_of_the_new_one(made: Made, video: Path) -> None:
    source, intake = made(video)
    eventually(lambda: len(intake.frames) == 20)
    write_video(video.with_name("new.mkv"), [grey(7), grey(8)]).replace(video)
    eventually(lambda: len(intake.frames) == 22)
    for frame in intake.frames[:20]:
        source.finished(frame)
    assert intake.remembered == []
    for frame in intake.frames[20:]:
        source.finished(frame)
    eventually(lambda: intake.remembered == [key(video, "v/line.mkv")])


def test_it_waits_for_room_and_stops_while_it_waits(made: Made, video: Path) -> None:
    source, intake = made(video, intake=Remembering(room=3))
    eventually(lambda: len(intake.frames) == 3)
    intake.let(2)
    eventually(lambda: len(intake.frames) == 5)
    intake.close()
    source.stop()
    assert len(intake.frames) == 5
    assert intake.remembered == []


def test_what_is_no_video_is_an_alarm_until_there_is_one(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "line.mkv"
    source, intake = made(path)
    eventually(lambda: source.health().state is SourceState.AWAY)
    path.write_bytes(b"this is a text")
    eventually(lambda: source.health().state is SourceState.FAILED)
    assert source.health().code == "source.no_video"
    write_video(tmp_path / "new.mkv", [grey(7), grey(8)]).replace(path)
    eventually(lambda: len(intake.frames) == 2)


def test_damage_in_the_middle_costs_no_more_than_what_is_damaged(made: Made, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, SIDE, SIDE, 3), np.uint8)
    path = write_video(tmp_path / "line.mkv", noise)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    path.write_bytes(data)
    source, intake = made(path)
    eventually(lambda: source.health().state is SourceState.ENDED)
    assert len(intake.frames) + intake.skipped["damaged"] >= 35
    assert len(intake.frames) >= 30


def test_a_turned_recording_is_upright(made: Made, tmp_path: Path) -> None:
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[: SIDE // 2] = 200  # bright above
    path = tmp_path / "turned.mov"
    with av.open(str(path), "w", format="mov") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        stream.set_display_rotation(90)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    _, intake = made(path)
    eventually(lambda: intake.frames)
    pixels = intake.frames[0].data.pixels
    assert pixels[SIDE // 2, 5].mean() > 150 > pixels[SIDE // 2, -5].mean()
