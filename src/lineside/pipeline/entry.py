"""The way in to a control plane, and what the process of a run is told. Nothing heavy is imported before it begins."""

from __future__ import annotations

from pathlib import Path

import msgspec

DONE = 0
"""The exit status of a run's process: the last word is said."""

NOT_MINE = 75
"""The run is another attempt's now, or was stopped. With any other status the process was killed, or broke."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Where and as whom a worker calls."""

    url: str
    token: str | None = None
    ca: str | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """All that a run's process is told."""

    run: str
    attempt: int
    worker: str
    root: str
    threads: int
    commands: bool  # whether it may do steps that are people's own programs
    keep_seconds: float  # between two times that checkpoints are kept at the control plane
    entry: Entry


def folder_of(root: Path, run: str) -> Path:
    """Where a run keeps its checkpoints and what DBOS knows, while it goes on."""
    return root / "runs" / run


def begin(job: Job) -> None:
    """The run's process begins here: a child of a server of processes that has everything heavy loaded."""
    from lineside.pipeline.job import perform

    perform(job)
