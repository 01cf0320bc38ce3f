"""A run that is followed where no terminal shows bars: a line a step, in a log."""

from __future__ import annotations

import io

import msgspec
from rich.console import Console

from lineside.cli.follow import StepLines
from lineside.contract.run import StepState
from tests.cli.values import RUN


def test_a_log_has_a_line_for_what_begins_ends_and_is_another_quarter_further() -> None:
    written = io.StringIO()
    lines = StepLines(Console(file=written, width=200))
    step = msgspec.structs.replace(RUN.steps[0], name="train", state=StepState.WAITING, message="", progress=0.0)
    for state, progress, message in (
        (StepState.WAITING, 0.0, ""),
        (StepState.RUNNING, 0.0, "reading"),
        (StepState.RUNNING, 0.1, "epoch 1 of 12"),
        (StepState.RUNNING, 0.3, "epoch 4 of 12"),
        (StepState.RUNNING, 0.3, "epoch 4 of 12"),
        (StepState.DONE, 1.0, "12 epochs"),
        (StepState.DONE, 1.0, "12 epochs"),
    ):
        now = msgspec.structs.replace(step, state=state, progress=progress, message=message)
        lines.update(msgspec.structs.replace(RUN, steps=(now,)))
    assert written.getvalue().splitlines() == [
        "train running 0%  reading",
        "train running 30%  epoch 4 of 12",
        "train done  12 epochs",
    ]
