"""`devices logs --follow` and `devices diagnose`: shown as it comes, ended by Ctrl-C, honest about silence."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lineside.contract.errors import ErrorReport
from lineside.contract.inquiry import CheckResult, InquiryPart, LivePicture
from lineside.contract.result import Detection
from tests.cli import values
from tests.cli.conftest import Command
from tests.cli.control_plane import CannedControlPlane
from tests.eventually import PATIENCE, eventually

ANSWER = "GET /devices/tag-station-1/inquiries/inquiry-1"
END = "POST /devices/tag-station-1/inquiries/inquiry-1/end"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_following_shows_each_part_once_and_ctrl_c_ends_the_inquiry(
    plane: CannedControlPlane, options: tuple[str, ...]
) -> None:
    first = msgspec.structs.replace(values.ANSWER, parts=values.ANSWER.parts[:1], done=False)
    plane.answers[ANSWER] = first
    words = ("devices", "logs", "tag-station-1", "--follow", "--lines", "7", "--url", plane.url, *options)
    with subprocess.Popen(
        [sys.executable, "-m", "lineside.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None
        line = command.stdout.readline()
        plane.answers[ANSWER] = msgspec.structs.replace(first, parts=())
        eventually(lambda: len(plane.asked) > 3)
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=PATIENCE)
    assert (command.returncode, out, err) == (130, "", "")
    if options:
        assert msgspec.json.decode(line, type=InquiryPart) == values.ANSWER.parts[0]
    else:
        assert line == "started\n"
    assert plane.asked[0].body == {
        "kind": "logs",
        "component": None,
        "lines": 7,
        "follow": True,
        "ttl_seconds": 60,
    }
    assert [asked.query["after"] for asked in plane.asked[1:3]] == ["-1", "0"]
    assert plane.asked[-1].route == END


def test_a_log_is_shown_without_what_would_steer_the_terminal(lineside: Command) -> None:
    assert lineside("devices", "logs", "tag-station-1").out == "started\nlooked ]0;at a picture\n"
    machine = msgspec.json.decode(lineside("devices", "logs", "tag-station-1", "app", "--json").out)
    assert machine == {
        "device": "tag-station-1",
        "component": "app",
        "text": "started\nlooked \x1b]0;at\x07 a picture\n",
    }


def test_a_reader_that_has_seen_enough_ends_the_inquiry(plane: CannedControlPlane) -> None:
    long = tuple(InquiryPart(number=number, text="line\n" * 1000) for number in range(64))
    plane.answers[ANSWER] = msgspec.structs.replace(values.ANSWER, parts=long, done=False)
    words = ("devices", "logs", "tag-station-1", "--follow", "--url", plane.url)
    with subprocess.Popen(
        [sys.executable, "-m", "lineside.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert command.stdout.readline() == "line\n"
        command.stdout.close()
        err = command.stderr.read()
    assert (command.returncode, err) == (0, "")
    assert plane.asked[-1].route == END


def test_an_answer_that_is_whole_is_not_ended_again(lineside: Command, plane: CannedControlPlane) -> None:
    assert lineside("devices", "logs", "tag-station-1").status == 0
    assert END not in [asked.route for asked in plane.asked]


@pytest.mark.parametrize(
    ("parts", "words"), [((), "did not answer within 60 s"), (values.ANSWER.parts[:1], "began to answer")]
)
def test_a_silent_device_is_named(
    lineside: Command, plane: CannedControlPlane, parts: tuple[InquiryPart, ...], words: str
) -> None:
    plane.answers[ANSWER] = msgspec.structs.replace(values.ANSWER, parts=parts, done=False, expired=True)
    done = lineside("devices", "logs", "tag-station-1")
    assert done.status == 1
    assert words in done.err
    assert "Next: See when it was last seen: lineside devices show tag-station-1" in done.err


def test_what_the_device_says_went_wrong_is_said(lineside: Command, plane: CannedControlPlane) -> None:
    error = ErrorReport(code="inquiry.no_log", message="It has no such log.", next="Look.")
    part = InquiryPart(number=0, error=error, done=True)
    plane.answers[ANSWER] = msgspec.structs.replace(values.ANSWER, parts=(part,))
    done = lineside("devices", "logs", "tag-station-1", "nothing")
    assert (done.status, done.err) == (1, "It has no such log.\nNext: Look.\n")


def test_a_diagnosis_says_what_is_wrong_and_what_to_do(lineside: Command, plane: CannedControlPlane) -> None:
    checks = (
        CheckResult(name="disk", ok=True, sentence="There is room."),
        CheckResult(name="clock", ok=False, sentence="It is\x1b[2J years off.", next="Set it."),
    )
    plane.answers[ANSWER] = msgspec.structs.replace(
        values.ANSWER, parts=tuple(InquiryPart(number=n, checks=(one,)) for n, one in enumerate(checks))
    )
    done = lineside("devices", "diagnose", "tag-station-1")
    assert done.status == 3
    assert done.out.splitlines() == [
        "✓ disk          There is room.",
        "✗ clock         It is[2J years off.",
        "                Next: Set it.",
        "2 checks, 1 found something wrong.",
    ]
    machine = lineside("devices", "diagnose", "tag-station-1", "--json")
    assert msgspec.json.decode(machine.out, type=tuple[CheckResult, ...]) == checks
    assert machine.status == 3


def test_a_live_picture_is_saved_and_what_was_found_is_shown(plane: CannedControlPlane, tmp_path: Path) -> None:
    """Whatever a device calls an image steers no terminal."""
    dent = Detection(label="dent", class_index=0, confidence=0.9, x=1, y=2, width=3, height=4)
    told = {"source": "line", "captured_at": "", "width": 4, "height": 3, "model": "tags", "version": 3}
    seen = LivePicture(jpeg=b"a jpeg", image="line/\x1b[31m42", latency_ms=8.5, detections=(dent,), **told)
    parts = (InquiryPart(number=0), InquiryPart(number=1, picture=seen), InquiryPart(number=2, done=True))
    plane.answers[ANSWER] = msgspec.structs.replace(values.ANSWER, parts=parts, done=True)
    file = tmp_path / "seen.jpg"
    words = ("devices", "look", "tag-station-1", "tags.inference", "--save", str(file), "--url", plane.url)
    done = subprocess.run([sys.executable, "-m", "lineside.cli", *words], capture_output=True, text=True, check=True)
    assert done.stdout == "line line/[31m42: dent 0.90 (tags:3, 8.5 ms)\n"
    assert file.read_bytes() == b"a jpeg"
    asked = plane.asked[0].body
    assert (asked["kind"], asked["component"], asked["follow"]) == ("picture", "tags.inference", False)
