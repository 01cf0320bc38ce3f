"""What a demo shows when nobody sits at a terminal: plain lines, not too many."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lineside.cli.demo.display import Display
from lineside.cli.demo.training import show_steps
from tests.cli import values


def test_a_stage_is_a_line_with_its_seconds_and_a_line_a_quarter() -> None:
    words = io.StringIO()
    display = Display(Console(file=words, width=100))
    with display.stage("pipeline", "Run the pipeline") as stage:
        for percent in range(101):
            stage.move("train", percent / 100)
        show_steps(values.RUN, stage)
        stage.outcome = "metal-tags:1 [passed]"
    lines = words.getvalue().splitlines()
    assert lines[0] == "… Run the pipeline"
    assert [line.split()[1] for line in lines if line.startswith("    train")] == ["0%", "25%", "50%", "75%", "100%"]
    assert lines[-1].startswith("✓ Run the pipeline")
    assert lines[-1].endswith("s  metal-tags:1 [passed]")
    assert list(display.seconds) == ["pipeline"]
    assert "\x1b" not in words.getvalue()


def test_a_stage_that_fails_says_so() -> None:
    words = io.StringIO()
    display = Display(Console(file=words, width=100))
    with pytest.raises(ValueError, match="no"), display.stage("twin", "Try the model on a twin"):
        raise ValueError("no")
    assert words.getvalue().splitlines()[-1].startswith("✗ Try the model on a twin")
    assert display.seconds == {}


def test_bars_move_in_place_on_a_terminal() -> None:
    words = io.StringIO()
    display = Display(Console(file=words, width=100, force_terminal=True))
    with display.stage("rollout", "Roll out to the devices") as stage:
        stage.move("tag-station-1", 0.5, "installing")
        stage.move("tag-station-1", 1.0, "healthy")
    assert "tag-station-1" in words.getvalue()
    assert "\x1b" in words.getvalue()


def test_a_stage_that_is_played_again_keeps_the_seconds_of_both() -> None:
    display = Display(Console(file=io.StringIO(), width=100))
    for _ in range(3):
        with display.stage("twin", "Try the model on a twin"):
            pass
    assert list(display.seconds) == ["twin", "twin-2", "twin-3"]
