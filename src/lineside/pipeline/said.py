"""What a step says, line by line: its log records, what it prints and what its commands print, sent in pieces.

Best effort: while nobody answers, lines wait, and when too many wait the oldest are dropped and counted.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from lineside.contract.errors import LinesideError
from lineside.contract.worker import LogReport

_EVERY = 1.0  # seconds between two pieces
_PIECE = 48 << 10  # bytes; a piece of the wire may have a third more
_MOST_WAITING = 512 << 10
_MOST_LINE = 8 << 10
_OTHERS = "dbos"  # says much about itself, and nothing about a step


class Sink(Protocol):
    """Where pieces go; `Control` is one."""

    def add_log(self, run: str, said: LogReport) -> None: ...


class StepLog(logging.Handler):
    """The log of one run's step at work. Safe to use from several threads."""

    def __init__(self, sink: Sink, run: str) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._sink, self._run = sink, run
        self._step = ""
        self._lines: list[bytes] = []
        self._waiting = self._dropped = self._part = 0
        self._guard, self._sending = threading.Lock(), threading.Lock()
        self._over = threading.Event()

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Within it, what is said is this step's."""
        self._step, self._over = step, threading.Event()
        sender = threading.Thread(target=self._send_often, args=(self._over,), name="log", daemon=True)
        sender.start()
        try:
            yield
        finally:
            self._over.set()
            sender.join()
            self.send()
            self._step = ""

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_OTHERS):
            self.say(self.format(record))

    def say(self, text: str) -> None:
        """Add lines."""
        if not self._step:
            return
        with self._guard:
            for line in text.splitlines():
                data = line.encode(errors="replace")[:_MOST_LINE] + b"\n"
                self._lines.append(data)
                self._waiting += len(data)
            while self._waiting > _MOST_WAITING:
                self._waiting -= len(self._lines.pop(0))
                self._dropped += 1

    def send(self) -> None:
        """Send what waits, as far as somebody answers."""
        with self._sending:
            while piece := self._next():
                try:
                    self._sink.add_log(self._run, LogReport(step=self._step, part=self._part, text=piece.decode()))
                except LinesideError:
                    with self._guard:
                        self._lines.insert(0, piece)
                        self._waiting += len(piece)
                    return
                self._part += 1

    def _next(self) -> bytes:
        with self._guard:
            taken = 0
            pieces = []
            if self._dropped:
                pieces.append(f"({self._dropped} lines were lost while nobody listened)\n".encode())
                self._dropped = 0
            while self._lines and (taken == 0 or taken + len(self._lines[0]) <= _PIECE):
                line = self._lines.pop(0)
                taken += len(line)
                pieces.append(line)
            self._waiting -= taken
            return b"".join(pieces)

    def _send_often(self, over: threading.Event) -> None:
        while not over.wait(_EVERY):
            self.send()


class Printed(io.TextIOBase):
    """Standard output or error of this process, said as well as printed."""

    def __init__(self, log: StepLog, beside: io.TextIOBase) -> None:
        self._log, self._beside = log, beside
        self._line = ""

    def write(self, text: str) -> int:
        self._beside.write(text)
        *whole, self._line = (self._line + text.replace("\r", "\n")).split("\n")
        for line in whole:
            if line:
                self._log.say(line)
        return len(text)

    def flush(self) -> None:
        self._beside.flush()
