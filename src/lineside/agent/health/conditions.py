"""What is wrong with the device itself now: clock, disk, link. Named states, not events: set while they hold.

Every thread may set and clear them; they travel in `Report.conditions` and `lineside agent status` shows them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from lineside.contract.errors import ErrorReport, LinesideError

_log = logging.getLogger(__name__)


class Conditions:
    """A registry of error codes that hold now, with their parameters."""

    def __init__(self) -> None:
        self._current: dict[str, ErrorReport] = {}
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], None]] = []

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after each change, in the thread that made it; it must return soon."""
        with self._lock:
            self._watchers.append(changed)

    def set(self, code: str, /, **params: Any) -> None:
        """The condition holds from now on. The code must be in the table of error codes."""
        self.put(LinesideError(code, **params))

    def put(self, error: LinesideError) -> None:
        """The same, from an error that was raised."""
        report = error.report()
        with self._lock:
            before = self._current.get(error.code)
            self._current[error.code] = report
        if before is None:
            _log.warning("%s: %s", error.code, error.message)
        if before != report:
            self._tell()

    def clear(self, *codes: str) -> None:
        """The conditions have passed; those that did not hold are left alone. `link.` names all of an area."""
        with self._lock:
            gone = [held for held in self._current if any(_names(code, held) for code in codes)]
            for code in gone:
                del self._current[code]
        for code in gone:
            _log.info("%s: passed", code)
        if gone:
            self._tell()

    def holds(self, code: str) -> bool:
        """Whether a condition, or with a dot at its end any of an area, holds now."""
        with self._lock:
            return any(_names(code, held) for held in self._current)

    def current(self) -> tuple[ErrorReport, ...]:
        """What holds now, by code."""
        with self._lock:
            return tuple(self._current[code] for code in sorted(self._current))

    def _tell(self) -> None:
        with self._lock:
            watchers = list(self._watchers)
        for changed in watchers:
            changed()


def _names(code: str, held: str) -> bool:
    return held.startswith(code) if code.endswith(".") else held == code
