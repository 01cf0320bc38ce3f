"""The line of the drift story: rendered pictures with their truth, given at a steady pace."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.cli.demo.drift.line import Labelled, Line, labelled, truth_of
from lineside.contract.ids import digest_of
from lineside.contract.review import ReviewBox
from lineside.pipeline.render import render

PICTURES = [Labelled(f"{letter}.jpg", letter.encode(), ()) for letter in "abc"]


class Now:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def line(tmp_path: Path, now: Now) -> Line:
    return Line({name: tmp_path / name / "inbox" for name in ("one", "two")}, 4.0, now)


def _names(tmp_path: Path, device: str) -> list[str]:
    return sorted(path.name for path in (tmp_path / device / "inbox").glob("*"))


def test_each_device_is_given_what_it_is_shown_again_and_again(tmp_path: Path, now: Now, line: Line) -> None:
    line.show("one", PICTURES)
    line.show("two", PICTURES[2:])
    now.seconds += 1.0
    line.step()
    assert _names(tmp_path, "one") == ["000000-a.jpg", "000001-b.jpg", "000002-c.jpg", "000003-a.jpg"]
    assert _names(tmp_path, "two") == [f"00000{number}-c.jpg" for number in range(4)]
    assert (tmp_path / "one" / "inbox" / "000003-a.jpg").read_bytes() == b"a"


def test_steps_that_come_often_give_no_more(tmp_path: Path, now: Now, line: Line) -> None:
    line.show("one", PICTURES)
    for _ in range(10):
        now.seconds += 0.1
        line.step()
    assert len(_names(tmp_path, "one")) in (3, 4)  # a tenth is no whole number of binary digits


def test_after_a_pause_no_more_than_two_seconds_come_at_once(tmp_path: Path, now: Now, line: Line) -> None:
    line.show("one", PICTURES)
    now.seconds += 500.0
    line.step()
    assert len(_names(tmp_path, "one")) == 8


def test_old_pictures_leave_the_inbox(tmp_path: Path, now: Now, line: Line) -> None:
    line.show("one", PICTURES)
    for _ in range(60):
        now.seconds += 1.0
        line.step()
    names = _names(tmp_path, "one")
    assert (len(names), names[-1]) == (200, "000239-c.jpg")


def test_the_truth_of_a_rendered_folder_is_known_by_the_content_of_each_picture(tmp_path: Path) -> None:
    render(tmp_path / "day", 6, 3, 3, light=0.6, zigzag=1.0)
    pictures = labelled(tmp_path / "day")
    plates = [one.name.split("-")[1] for one in pictures]
    assert (plates[:3], plates[3:]) == (["00", "01", "02"], ["00", "01", "02"])  # one plate after the other
    truth = truth_of(pictures)
    files = sorted((tmp_path / "day" / "images").iterdir())
    assert set(truth) == {digest_of(file.read_bytes()) for file in files}
    boxes = [box for found in truth.values() for box in found]
    assert boxes
    assert all(isinstance(box, ReviewBox) and box.label == "scratch" and box.width > 0 for box in boxes)
