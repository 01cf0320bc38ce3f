"""What components print: one file a component, rotated by size; old ones end in .1 (newest) to .3.

Processes write into a pipe; one thread for all components moves what comes into the files. The rule, whatever a
component prints and however fast:

    disk    a log and its three old ones take at most 4 x 1 MiB (one piece of 64 KiB more each)
    wear    2 MiB at once, then 64 KiB a second; more is dropped, and the log says how much
    pace    a component that prints more than about 2 MiB a second waits for its pipe
    loss    the last tenth of a second, if the agent itself is killed (its components end with it)

A full or broken disk loses lines, never blocks a component.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
import time
from pathlib import Path

LIMIT = 1 << 20
KEEP = 3
BURST = 2 << 20
RATE = 64 << 10
_PIPE = 256 << 10
_PIECE = 64 << 10
_PACE = 0.1
_F_SETPIPE_SZ = 1031


class Sink:
    """The agent's end of a pipe that processes write into."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reading, False)
        with contextlib.suppress(OSError):  # more than an ordinary user may have
            fcntl.fcntl(self._reading, _F_SETPIPE_SZ, _PIPE)
        self._lock = threading.Lock()
        self._closed = False
        PUMP.add(self)

    def fileno(self) -> int:
        """For select."""
        return self._reading

    def drain(self) -> None:
        """Take what is in the pipe now, at most what fits into it."""
        with self._lock:
            for _ in range(_PIPE // _PIECE):
                if self._closed or not (data := self._read()):
                    return
                self._take(data)

    def close(self) -> None:
        """Take what is left and close both ends; who still writes is told so by the kernel."""
        self.drain()
        PUMP.remove(self)
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._reading)
                os.close(self.writing)
                self._end()

    def _read(self) -> bytes:
        try:
            return os.read(self._reading, _PIECE)
        except BlockingIOError:
            return b""

    def _take(self, data: bytes) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        """Everything was taken."""


class Tail(Sink):
    """Keeps the last 64 KiB of what is printed, in memory."""

    def __init__(self) -> None:
        self._kept = b""
        super().__init__()

    def _take(self, data: bytes) -> None:
        self._kept = (self._kept + data)[-_PIECE:]

    def text(self) -> str:
        """What is kept."""
        self.drain()
        return self._kept.decode(errors="replace")

    def last_line(self) -> str:
        """The last line that is not empty."""
        lines = self.text().split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")


class Log(Sink):
    """A component's log file. `rate` bytes a second may be written after `burst` bytes at once."""

    def __init__(self, path: Path, limit: int = LIMIT, *, burst: int = BURST, rate: int = RATE) -> None:
        self._path = path
        self._limit = limit
        self._burst, self._rate = burst, rate
        self._allowed, self._at = float(burst), time.monotonic()
        self._dropped = 0
        self._file: int | None = None
        super().__init__()

    def _take(self, data: bytes) -> None:
        now = time.monotonic()
        self._allowed = min(self._burst, self._allowed + (now - self._at) * self._rate)
        self._at = now
        if len(data) > self._allowed:
            self._dropped += len(data)
            return
        self._allowed -= len(data)
        self._tell_dropped()
        self._write(data)

    def _tell_dropped(self) -> None:
        if self._dropped:
            told = f"\n[lineside: {self._dropped} bytes were printed too fast and are not kept]\n"
            self._dropped = 0
            self._write(told.encode())

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._open(len(data)), data)
        except OSError:  # a full or broken disk; health says so, a component must not hang because of it
            self._let_go()

    def _open(self, more: int) -> int:
        """The file, with room for `more` bytes: a new one if it was rotated, removed, or is full."""
        with contextlib.suppress(FileNotFoundError):
            found = self._path.stat()
            if self._file is not None and found.st_ino != os.fstat(self._file).st_ino:
                self._let_go()
            if found.st_size + more > self._limit and found.st_size:
                self._let_go()
                rotate(self._path)
        if self._file is None or not self._path.exists():
            self._let_go()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        return self._file

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _end(self) -> None:
        self._tell_dropped()
        self._let_go()


def rotate(path: Path, keep: int = KEEP) -> None:
    """Rename a log to .1, and the older ones one further; the oldest goes."""
    for number in range(keep, 0, -1):
        older = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
        with contextlib.suppress(FileNotFoundError):
            older.replace(path.with_name(f"{path.name}.{number}"))


class Pump:
    """One thread that moves what all components print. It starts with the first sink and never ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sinks: dict[int, Sink] = {}
        self._poll = select.epoll()
        self._thread: threading.Thread | None = None

    def add(self, sink: Sink) -> None:
        """Move what arrives in it from now on."""
        with self._lock:
            self._sinks[sink.fileno()] = sink
            self._poll.register(sink.fileno(), select.EPOLLIN)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
                self._thread.start()

    def remove(self, sink: Sink) -> None:
        """Leave it alone; it is still open."""
        with self._lock:
            if self._sinks.pop(sink.fileno(), None) is not None:
                self._poll.unregister(sink.fileno())

    def _run(self) -> None:
        while True:
            ready = self._poll.poll()
            with self._lock:
                sinks = [self._sinks[number] for number, _ in ready if number in self._sinks]
            for sink in sinks:
                try:
                    sink.drain()
                except Exception:  # noqa: BLE001 one log's surprise must not silence, and then block, all components
                    self.remove(sink)
            time.sleep(_PACE)  # together rather than one by one: a chatty component costs ten rounds a second


PUMP = Pump()
"""This process's."""
