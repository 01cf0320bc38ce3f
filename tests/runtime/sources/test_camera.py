"""A network camera that works, dies, falls silent, freezes and comes back."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from lineside.runtime.frames import SourceState
from lineside.runtime.sources.camera import CameraSource, RtspSettings, UsbSettings, Way, rtsp, usb
from lineside.runtime.sources.moving import unnamed, untold
from tests.eventually import eventually
from tests.runtime.sources.cameras import SIDE, Camera
from tests.runtime.sources.intake import Remembering


@pytest.fixture
def camera() -> Iterator[Camera]:
    made = Camera()
    yield made
    made.close()


@pytest.fixture
def intake() -> Remembering:
    return Remembering()


@pytest.fixture
def source(camera: Camera, intake: Remembering) -> Iterator[CameraSource]:
    settings = RtspSettings(url=camera.url, silent_after=2, frozen_after=1.5)
    made = CameraSource("cam-1", rtsp(settings))
    made.start(intake)
    yield made
    made.stop()


def state(source: CameraSource, wanted: SourceState) -> None:
    eventually(lambda: source.health().state is wanted)


def test_its_pictures_come_upright_in_colour_and_with_the_time(source: CameraSource, intake: Remembering) -> None:
    eventually(lambda: len(intake.frames) >= 10)
    frame = intake.frames[0]
    assert (frame.source, frame.name[:6], frame.key) == ("cam-1", "cam-1/", None)
    assert len(set(intake.names)) == len(intake.names)
    assert (frame.data.width, frame.data.height) == (SIDE, SIDE)
    levels = [int(one.data.pixels.mean()) for one in intake.frames[:10]]
    assert levels == sorted(levels)  # each a little brighter than the one before
    assert levels[-1] > levels[0]
    assert abs(time.time() - frame.captured_at) < 600
    assert source.health().state is SourceState.RUNNING
    assert source.live


def test_cut_off_is_an_alarm_and_it_comes_back_by_itself(
    source: CameraSource, camera: Camera, intake: Remembering
) -> None:
    state(source, SourceState.RUNNING)
    camera.close()
    state(source, SourceState.AWAY)
    assert source.health().code == "source.away"
    assert "secret" not in source.health().why
    camera.open()
    state(source, SourceState.RUNNING)
    assert source.health().reconnects == 1
    before = len(intake.frames)
    eventually(lambda: len(intake.frames) > before + 5)


def test_silence_is_an_alarm(source: CameraSource, camera: Camera) -> None:
    state(source, SourceState.RUNNING)
    camera.silent.set()
    state(source, SourceState.AWAY)
    eventually(lambda: source.health().code in ("source.silent", "source.away"))
    camera.silent.clear()
    state(source, SourceState.RUNNING)


def test_sound_alone_is_silence(source: CameraSource, camera: Camera) -> None:
    """A camera whose pictures stop may go on with its microphone, or with what it knows of itself."""
    state(source, SourceState.RUNNING)
    camera.blind.set()
    state(source, SourceState.AWAY)
    assert source.health().code == "source.silent"
    camera.blind.clear()
    state(source, SourceState.RUNNING)


def test_the_same_picture_over_and_over_is_frozen_and_not_decided_on(
    source: CameraSource, camera: Camera, intake: Remembering
) -> None:
    state(source, SourceState.RUNNING)
    camera.frozen.set()
    state(source, SourceState.FROZEN)
    offered = len(intake.frames)
    eventually(lambda: intake.skipped["frozen"] >= 10)
    assert len(intake.frames) == offered
    camera.frozen.clear()
    state(source, SourceState.RUNNING)
    eventually(lambda: len(intake.frames) > offered)


def test_no_more_frames_a_second_than_asked_for(camera: Camera, intake: Remembering) -> None:
    source = CameraSource("cam-1", rtsp(RtspSettings(url=camera.url, fps=5)))
    source.start(intake)
    eventually(lambda: len(intake.frames) >= 5)
    source.stop()
    moments = [frame.arrived for frame in intake.frames]
    assert min(after - before for before, after in itertools.pairwise(moments)) >= 0.98 / 5
    assert intake.skipped["thinned"] > 0


def test_what_never_answered_is_away_and_tried_again(intake: Remembering) -> None:
    source = CameraSource("cam-1", Way("rtsp://user:secret@127.0.0.1:9/none", {"timeout": 2.0}))
    source.start(intake)
    state(source, SourceState.AWAY)
    assert source.health().code == "source.away"
    assert "secret" not in source.health().why
    source.stop()


def test_a_usb_camera_that_is_not_plugged_in_is_away(intake: Remembering) -> None:
    source = CameraSource("usb", usb(UsbSettings(device="/dev/video-none", size="640x480", rate=30, format="mjpeg")))
    source.start(intake)
    state(source, SourceState.AWAY)
    assert "/dev/video-none" in source.health().why
    source.stop()


def test_a_device_is_read_by_the_format_that_ffmpeg_knows_it_by(intake: Remembering) -> None:
    """As a USB camera is, by `v4l2`; this machine has none, so FFmpeg's own picture generator stands in its place."""
    source = CameraSource("usb", Way("testsrc=size=64x48:rate=25", {"format": "lavfi", "options": {}}))
    source.start(intake)
    eventually(lambda: len(intake.frames) >= 3)
    assert (intake.frames[0].data.width, intake.frames[0].data.height) == (64, 48)
    source.stop()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("rtsp://cam/1", "rtsp://cam"),
        ("rtsp://user:secret@cam:554/1", "rtsp://cam:554"),
        ("rtsp://user:se@cret@[fe80::1]:554/1", "rtsp://[fe80::1]:554"),
        ("rtsp://secret@cam", "rtsp://cam"),
        ("rtsp://10.0.0.7/user=admin&password=secret&channel=1", "rtsp://10.0.0.7"),
        ("http://10.0.0.7:8080?password=secret", "http://10.0.0.7:8080"),
        ("rtsp://user:se'cr\"et \\\\x@cam/1", "rtsp://cam"),
        ("rtsp://user:12/secret@cam/1", "rtsp://…"),  # a password with a slash in it: what the host is, nobody knows
        ("rtsp://cam/password=x@secret", "rtsp://…"),
        ("rtsp://user:secret", "rtsp://…"),
        ("/dev/video0", "/dev/video0"),
    ],
)
def test_an_address_is_told_without_any_password_in_it(address: str, told: str) -> None:
    assert unnamed(address) == told
    for written in (address, repr(address), f"'{address}'"):
        said = untold(f"[Errno 5] cannot open {written}: sorry, {written}.", address)
        assert said.startswith("[Errno 5] cannot open ")
        assert said.count(told) == 2
        assert "secret" not in said
        assert "cret" not in said
    assert untold("Connection to tcp://10.0.0.7:554?password=secret failed", address) == (
        "Connection to tcp://10.0.0.7:554 failed"
    )


def test_what_a_camera_says_of_itself_has_no_password_in_it(intake: Remembering) -> None:
    source = CameraSource("cam-1", Way("rtsp://127.0.0.1:9/user=admin&password=se'cret?also=secret", {"timeout": 2.0}))
    source.start(intake)
    state(source, SourceState.AWAY)
    assert "rtsp://127.0.0.1:9" in source.health().why
    assert "cret" not in source.health().why
    source.stop()


def test_what_a_usb_camera_is_asked_for() -> None:
    way = usb(UsbSettings(device="/dev/video2", size="640x480", rate=30, format="mjpeg"))
    assert (way.where, way.how["format"]) == ("/dev/video2", "v4l2")
    assert way.how["options"] == {"input_format": "mjpeg", "video_size": "640x480", "framerate": "30"}
    assert usb(UsbSettings()).how["options"] == {}


def test_without_the_extra_it_fails_with_one_sentence() -> None:
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from lineside.runtime.sources.camera import *\n"
        "from tests.runtime.sources.intake import Remembering\n"
        "source = CameraSource('cam', rtsp(RtspSettings(url='rtsp://127.0.0.1:9/')))\n"
        "source.start(Remembering()); source._thread.join(60)\n"
        "print(source.health().state.value, source.health().why, source.health().next)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    last = answer.stdout.splitlines()[-1]
    assert last.startswith("failed ")
    assert "lineside[video]" in last
