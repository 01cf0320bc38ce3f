"""How many epochs a training has: as many as were asked for, or as fit into a budget of minutes.

It belongs to the training because the schedule must: warming up, the learning rate's fall and the last, settled epochs
are shares of a length, and a training that is cut off has none of its end. The first epochs are timed, then the number
is decided once and kept with the checkpoint: from there on the same seed ends in the same weights, also when the
training is killed and goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lineside.pipeline.trainers.settings import Settings

_TIMED = 3  # epochs before the number is decided; the first of them warms up and doesn't count
_SPARE = 0.97  # of the time that is left is planned


class Budget:
    """The length of one training."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._decided = settings.epochs if not settings.minutes else None
        self._began = self._marked = clock()
        self._timed: list[float] = []  # seconds of each epoch up to now

    @property
    def epochs(self) -> int:
        """How many there will be, as far as it is known."""
        return self._decided or max(self._settings.epochs, _TIMED)

    @property
    def settled(self) -> int:
        """How many of them, at the end, show pictures plainly."""
        return round(self._settings.settle_epochs * max(self.epochs / self._settings.epochs, 1.0))

    def share(self, epoch: float, warmup: float) -> float:
        """How much of the way after warming up lies behind; 0 while nobody knows how long it is."""
        if self._decided is None:
            return 0.0
        return max(epoch - warmup, 0.0) / max(self._decided - warmup, 1e-9)

    def is_last(self, epoch: int) -> bool:
        """Whether this epoch (from 0) is one of the settled ones."""
        return self._decided is not None and epoch >= self._decided - self.settled

    def is_over(self, epoch: int) -> bool:
        """Whether so many epochs are enough."""
        return self._decided is not None and epoch >= self._decided

    def passed(self) -> None:
        """An epoch is over, scoring and saving included."""
        now = self._clock()
        self._timed.append(now - self._marked)
        self._marked = now
        if self._decided is None and len(self._timed) >= _TIMED:
            each = sum(self._timed[1:]) / len(self._timed[1:])
            left = self._settings.minutes * 60 - (now - self._began)
            self._decided = len(self._timed) + max(int(_SPARE * left / max(each, 1e-6)), 0)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {"decided": self._decided, "timed": self._timed, "spent": self._clock() - self._began}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with what a checkpoint kept; the time between doesn't count."""
        self._decided, self._timed = state["decided"], list(state["timed"])
        self._marked = self._clock()
        self._began = self._marked - state["spent"]
