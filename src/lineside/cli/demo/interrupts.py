"""Ctrl-C and its kin while child processes run."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """Somebody asked the program to end, with signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Interrupts:
    """The first signal raises `Stopped` wherever the program is; after `hold`, signals only set `hurry`."""

    def __init__(self) -> None:
        self.hurry = False
        self._held = False
        self._before: dict[int, object] = {}

    def hold(self) -> None:
        """Do not interrupt any more: the program is ending."""
        self._held = True

    def __enter__(self) -> Interrupts:
        self._before = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() itself answered

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self.hurry = True
            return
        self._held = True
        raise Stopped(number)
