"""Workers: who does runs, from which queue, and how they keep hold of what they took.

    claim ──► a run, and the number of this attempt at it ──► beat, beat, … ──► finish
                                                        ├──► leave: another worker may take it at once
                                                        └──► silence for LEASE_SECONDS: another worker may take it

Whatever a worker writes about a run names its attempt (the header `ATTEMPT`). Once another attempt has begun, it is
refused with `run.lease_lost`.
"""

from __future__ import annotations

import msgspec

LEASE_SECONDS = 30
"""For so long a run is kept for a worker that says nothing. Beats come every second while it works."""

ATTEMPT = "Lineside-Attempt"
"""The header: `RUN NUMBER`."""

COMMANDS = "command"
"""The kind of the steps that are programs of people's own; a worker does them only when it was told that it may."""

MOST_LOG = 1 << 20
"""Bytes kept of what one step of a run says."""

MOST_PIECE = 64 << 10
"""Bytes of one piece of a log."""

MOST_KEPT = 16
"""Files that one run keeps at once."""


class Held(msgspec.Struct, frozen=True):
    """A run that a worker works on, and at which attempt."""

    run: str
    attempt: int


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for work. Without `steps` a worker does every kind but people's own commands."""

    worker: str
    queue: str = "default"
    steps: tuple[str, ...] | None = None  # the kinds of steps it knows how to do
    holding: tuple[Held, ...] = ()  # what it works on now; what else it had, it lost in a crash


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's sign of life; it keeps what it holds."""

    worker: str
    queue: str = "default"
    slots: int = 1
    version: str = ""  # of its code
    host: str = ""
    steps: tuple[str, ...] = ()
    holding: tuple[Held, ...] = ()


class BeatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What it must let go of: runs that another has taken, that were stopped, or that have ended."""

    lost: tuple[str, ...] = ()


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's last word before it ends in an orderly way: what it held goes to whoever asks next."""

    worker: str
    holding: tuple[Held, ...]


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker as people see it; `away` when it has said nothing for as long as a lease lasts."""

    name: str
    queue: str
    slots: int
    version: str
    host: str
    steps: tuple[str, ...]
    seen_at: str
    away: bool
    runs: tuple[str, ...] = ()


class LogPiece(msgspec.Struct, frozen=True, kw_only=True):
    """Some lines that a step said; `number` orders the pieces of a run."""

    step: str
    text: str
    at: str = ""
    number: int = 0


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Pieces of a log, oldest first; ask again with `after` for what comes next. `ended`: nothing more will come."""

    pieces: tuple[LogPiece, ...]
    after: int
    ended: bool


class LogReport(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's word on what a step says; `part` counts within the attempt, so that one sent twice is there once."""

    step: str
    part: int
    text: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a run needs to go on elsewhere: a training's last checkpoint. The newest of a name stays."""

    name: str
    digest: str
    size: int = 0
