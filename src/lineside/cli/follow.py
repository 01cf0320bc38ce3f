"""Watching a run until it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lineside.client import Client
from lineside.contract.run import RUN_MOVES, Run, StepState
from lineside.contract.worker import LogPiece

FINISHED = frozenset(state for state, moves in RUN_MOVES.items() if not moves)
"""States a run never leaves."""

_EVERY = 0.5  # seconds between questions
SETTLED = {StepState.DONE, StepState.CACHED, StepState.SKIPPED}
"""States in which a step has nothing left to do."""


class StepBars:
    """One progress bar for each step of a run."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def update(self, run: Run) -> None:
        """Move the bars to where the run is."""
        for step in run.steps:
            if step.name not in self._bars:
                self._bars[step.name] = self._progress.add_task(step.name, total=1.0, start=False, message="")
            bar = self._bars[step.name]
            if step.state is not StepState.WAITING:
                self._progress.start_task(bar)
            if step.state in SETTLED and not self._progress.tasks[bar].finished:
                self._progress.update(bar, completed=1.0)
            text = step.message or ("" if step.state is StepState.WAITING else step.state.value)
            self._progress.update(bar, completed=1.0 if step.state in SETTLED else step.progress, message=text)


class StepLines:
    """A line for each step that begins, ends, or is another quarter further: for a log, which shows no bars."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, tuple[StepState, int]] = {}

    def update(self, run: Run) -> None:
        """Say what is new."""
        for step in run.steps:
            stands = (step.state, int(4 * step.progress) if step.state is StepState.RUNNING else 0)
            if step.state is StepState.WAITING or self._told.get(step.name) == stands:
                continue
            self._told[step.name] = stands
            share = f" {step.progress:.0%}" if step.state is StepState.RUNNING else ""
            self._console.print(f"{step.name} {step.state.value}{share}  {step.message}".rstrip(), markup=False)


def step_progress(console: Console) -> Progress:
    """A display for `StepBars`, shown on terminals only."""
    columns = (
        TextColumn("{task.description:>10}", markup=False),
        BarColumn(bar_width=28),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}", markup=False),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


def follow_logs(client: Client, run: str, step: str | None, *, follow: bool) -> Iterator[LogPiece]:
    """What a run's steps said, oldest first; with `follow` until it has ended."""
    after = 0
    while True:
        page = client.run_logs(run, step=step, after=after)
        yield from page.pieces
        after = page.after
        if page.ended or (not page.pieces and not follow):
            return
        if not page.pieces:
            time.sleep(_EVERY)


def follow_run(client: Client, run: Run, console: Console, *, quiet: bool) -> Run:
    """Ask until the run has ended, showing bars on a terminal and, unless `quiet`, lines elsewhere; answers the ended
    run."""
    with step_progress(console) as progress:
        shown = StepBars(progress) if console.is_terminal or quiet else StepLines(console)
        shown.update(run)
        while run.state not in FINISHED:
            time.sleep(_EVERY)
            run = client.run(run.id)
            shown.update(run)
    return run
