"""What can be said about one component now. Its own thread writes, any thread reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState

_SLACK = 30.0
"""Seconds over its limit after which something counts as stuck."""


class Activity(msgspec.Struct, frozen=True):
    """What a component's thread does: `until` is when it is over at the latest (time.monotonic()); None: it waits."""

    what: str
    until: float | None


class Standing:
    """A component's state. `changed` is called when it, or whether the component is ready, changes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.state = ComponentState.NEW
        self.ready_since: float | None = None  # time.monotonic()
        self.was_ready = False
        self.probe: dict[str, Any] = {}
        self._asked = 0.0
        self.starts = 0
        self.installed = False
        self.golden: dict[str, Any] | None = None  # what GoldenInputs said, once they have run
        self.error: LinesideError | None = None
        self.activity = Activity("waits", None)
        self._changed = changed

    def become(self, state: ComponentState, *, ready: bool = False) -> None:
        """A new state."""
        if ready and self.ready_since is None:
            self.ready_since = time.monotonic()
            self.was_ready = True
            self.error = None
        elif not ready:
            self.ready_since = None
        self.state = state
        self._changed()

    def heard(self, said: dict[str, Any], asked: float) -> None:
        """What a probe said that was begun at `asked` (time.monotonic()). Two may overlap, of the minute and of an
        update that settles: the answer of the one begun first is old when it comes last."""
        if asked >= self._asked:
            self._asked, self.probe = asked, said | (self.golden or {})

    def does(self, what: str, limit: float | None = None) -> None:
        """Something begins that is over in `limit` seconds (None: it waits for what happens)."""
        self.activity = Activity(what, None if limit is None else time.monotonic() + limit)

    def stuck(self) -> str | None:
        """What it does for longer than it may."""
        activity = self.activity
        late = activity.until is not None and time.monotonic() > activity.until + _SLACK
        return activity.what if late else None
