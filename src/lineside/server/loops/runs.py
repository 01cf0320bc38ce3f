"""Removes what runs and workers leave behind: see `lineside.server.runs.tidying`."""

from __future__ import annotations

from lineside.server.runs.tidying import Tidying


class RunsLoop:
    """Looks now and then; exactly one process does, under a lease."""

    def __init__(self, tidying: Tidying) -> None:
        self._tidying = tidying

    def step(self) -> None:
        """See `Tidying.step`."""
        self._tidying.step()
