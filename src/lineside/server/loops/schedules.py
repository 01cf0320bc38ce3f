"""Starts what loops are due for: by their schedules, by new dataset versions, by messages of programs elsewhere."""

from __future__ import annotations

from lineside.server.learning.service import Loops


class SchedulesLoop:
    """Looks at every loop; exactly one process does, under a lease."""

    def __init__(self, loops: Loops) -> None:
        self._loops = loops

    def step(self) -> None:
        """See `Loops.step`."""
        self._loops.step()
