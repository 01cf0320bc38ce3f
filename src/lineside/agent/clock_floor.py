"""How late it was before the last restart: what a device without a clock battery goes on from.

The floor is the newest trustworthy time: what the control plane said over TLS, or when a bundle was signed. It is kept
in one small file, written when it has moved by `KEEP_SECONDS`, so that the flash is spared, and at once when the
control plane says that it is earlier: a time that was wrong by years for an hour is forgotten with the next answer. It
belongs to one joining; after another the date of that counts.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from lineside.agent.clock import TOLERANCE, Clock, parse_rfc3339, rfc3339
from lineside.agent.durable import write_atomically
from lineside.contract.reading import UNREADABLE

KEEP_SECONDS = 6 * 3600.0


class _Kept(msgspec.Struct):
    at: str
    joined: str


class ClockFloor:
    """One device's floor on disk. Used by one thread."""

    def __init__(self, file: Path, joined: str, clock: Clock) -> None:
        """Give the clock what is known: the date of joining, or what was written down since."""
        self._file = file
        self._joined = joined
        self._clock = clock
        clock.joined(joined)
        self._written = self._read() or parse_rfc3339(joined) or 0.0
        clock.remembered(self._written)

    def keep(self) -> None:
        """Write the floor down if it has moved far enough; a disk that takes nothing is no reason to stop."""
        floor = self._clock.floor()
        if -TOLERANCE <= floor - self._written < KEEP_SECONDS:
            return
        with contextlib.suppress(OSError):
            write_atomically(self._file, msgspec.json.encode(_Kept(at=rfc3339(floor), joined=self._joined)))
            self._written = floor

    def _read(self) -> float | None:
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except (OSError, *UNREADABLE):
            return None
        return parse_rfc3339(kept.at) if kept.joined == self._joined else None
