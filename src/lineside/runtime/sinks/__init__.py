"""Sinks: where results go. One file each behind one Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lineside.runtime.spool import Entry


class Sink(Protocol):
    """Takes results in order and says, at its own time, which have arrived. Called by one thread."""

    def room(self) -> int:
        """How many results it takes now; 0 while the other side is away."""

    def send(self, entries: Sequence[Entry]) -> None:
        """Takes results; at most `room()` of them. May deliver one twice after a restart, with the same number."""

    def settled(self) -> list[int]:
        """The sequence numbers that have arrived since the last call: the spool may forget them."""

    def close(self, timeout: float) -> None:
        """Waits at most `timeout` seconds for what was sent, then lets go."""
