"""Which files of a folder are ready to be read.

A file is ready when two looks in a row find it with the same size and time of change, or when the system says that its
writer has closed or renamed it. Oldest first, each once: what is done is remembered by name, size and time. Hidden
files and subfolders are left alone; whether a file is an image is judged by its content, later.
"""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from threading import RLock
from typing import BinaryIO

from lineside.contract.errors import LinesideError
from lineside.runtime.spool import InputKey

_AT_MOST = 4096  # arrivals one look hands out
_FULL_LOOK = 2.0  # seconds after which files are looked at again although no name came or went
SETTLE = 5.0
"""Seconds for which a damaged file may still be one that is being written."""
_SOONEST, _LATEST = -(2**63), 2**63 - 1  # nanoseconds that are remembered: the years 1677 to 2262


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that has stopped changing."""

    path: Path
    key: InputKey
    found: float = 0.0  # time.monotonic() when it was found to be ready


class Arrivals:
    """Looks into a folder when asked: one thread looks, any thread says what is done."""

    def __init__(
        self,
        folder: Path,
        done: Iterable[InputKey] = (),
        *,
        prefix: str = "",
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`prefix`: what keys of this folder begin with, where inputs of several sources are remembered together."""
        self.folder = folder
        self._prefix = prefix
        self._lock = RLock()
        self._done = {key for key in done if key.name.startswith(prefix) and "/" not in key.name[len(prefix) :]}
        self._taken: set[InputKey] = set()
        self._changing: dict[str, InputKey] = {}  # as seen at the last look
        self._not_before: dict[InputKey, float] = {}
        self._postponed: Counter[InputKey] = Counter()
        self._names_changed_ns, self._looked_at = -1, float("-inf")
        self._monotonic, self._now = monotonic, now

    def look(self) -> list[Arrival]:
        """The files that are ready now, oldest first, at most 4096. A folder that is not there is an empty one."""
        if self._nothing_new():
            return []
        moment = self._monotonic()
        changing: dict[str, InputKey] = {}
        try:
            oldest = nsmallest(_AT_MOST, self._ready(moment, changing))
        except OSError:
            return []
        self._changing = changing
        return [Arrival(self.folder / name, key, moment) for _, _, name, key in oldest]

    def _ready(self, moment: float, changing: dict[str, InputKey]) -> Iterator[tuple[int, str, str, InputKey]]:
        """Time, remembered name, own name and key of what is ready, one by one: there may be very many. `changing`
        gets all that is not taken."""
        for name, key in self._files():
            if self._is_taken(key):
                continue
            before = self._changing.get(key.name)
            if before == key:
                changing[key.name] = before  # the same again: of two the memory is kept once
                if self._not_before.get(key, moment) <= moment:
                    yield key.mtime_ns, key.name, name, before
            else:
                changing[key.name] = key

    def named(self, names: Iterable[str]) -> list[Arrival]:
        """Of files whose writers are done, those that are new, in the order given."""
        ready: list[Arrival] = []
        moment = self._monotonic()
        for name in dict.fromkeys(names):
            path = self.folder / name
            try:
                found = path.stat()
            except OSError:
                continue
            key = self._key(name, found)
            known = self._is_taken(key) or self._not_before.get(key, moment) > moment
            if stat.S_ISREG(found.st_mode) and not name.startswith(".") and not known:
                ready.append(Arrival(path, key, moment))
        return ready

    @property
    def pending(self) -> bool:
        """Whether a file was seen that another look may find ready."""
        return bool(self._changing)

    def unreadable(self) -> LinesideError | None:
        """Why the folder cannot be looked into now; None when it can."""
        try:
            os.stat(self.folder / ".")  # noqa: PTH116 - its own dot: whether its files can be reached
            os.scandir(self.folder).close()
        except (FileNotFoundError, NotADirectoryError):
            return LinesideError("source.folder_missing", folder=self.folder)
        except OSError as error:
            return LinesideError("source.folder_unreadable", folder=self.folder, why=error.strerror)
        return None

    def read(self, arrival: Arrival) -> bytes | None:
        """The file's bytes, or None when it changed or went since the look: it is taken later, or never. Raises
        `image.missing` for one that is there and cannot be read."""
        try:
            with _opened(arrival.path) as file:
                data = file.read(arrival.key.size + 1)
                after = os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LinesideError("image.missing", path=arrival.path, why=error.strerror) from error
        same = (after.st_size, changed_ns(after)) == (arrival.key.size, arrival.key.mtime_ns)
        return data if same and len(data) == after.st_size else None

    def peek(self, arrival: Arrival, size: int) -> bytes | None:
        """The first bytes, without reading the rest; None when the file cannot be read."""
        try:
            with _opened(arrival.path) as file:
                return file.read(size)
        except OSError:
            return None

    def take(self, arrival: Arrival) -> None:
        """It is being decided: no look finds it until it is given back."""
        with self._lock:
            self._taken.add(arrival.key)
            self._changing.pop(arrival.key.name, None)

    def give_back(self, arrival: Arrival) -> None:
        """It could not be read, for it changed: a later look judges it anew."""
        with self._lock:
            self._taken.discard(arrival.key)

    def finish(self, key: InputKey) -> None:
        """Never take this file again."""
        with self._lock:
            self._done.add(key)
            self._taken.discard(key)
            self._not_before.pop(key, None)
            self._postponed.pop(key, None)

    def may_be_unfinished(self, key: InputKey) -> bool:
        """Whether a damaged file was changed so recently that its writer may only have paused."""
        return abs(self._now() - key.mtime_ns / 1e9) < SETTLE

    def postponed(self, key: InputKey) -> int:
        """How often it was."""
        with self._lock:
            return self._postponed[key]

    def postpone(self, key: InputKey) -> None:
        """Take the file again after a while, twice as long each time, if it has not changed by then."""
        with self._lock:
            self._taken.discard(key)
            self._not_before[key] = self._monotonic() + SETTLE * 2 ** self._postponed[key]
            self._postponed[key] += 1
            self._changing[key.name] = key

    @property
    def remembered(self) -> int:
        """How many files are remembered as done."""
        return len(self._done)

    def gone(self) -> set[InputKey]:
        """Keys that are remembered although their file is no longer there; forgets them when they are the most."""
        try:
            present = {key for _, key in self._files()}
        except OSError:
            return set()  # half a list would have the other half decided again
        if not present or len(self._done) < 2 * len(present) + 1000:
            return set()  # nothing present may be a disk that is not mounted: its files will be back
        with self._lock:
            gone = self._done - present
            self._done -= gone
            self._not_before = {key: at for key, at in self._not_before.items() if key in present}
            self._postponed = Counter({key: count for key, count in self._postponed.items() if key in present})
        return gone

    def _is_taken(self, key: InputKey) -> bool:
        with self._lock:
            return key in self._taken or key in self._done

    def _nothing_new(self) -> bool:
        """Whether no name came or went since the last look, nothing is pending, and that look was short ago."""
        try:
            changed_ns = self.folder.stat().st_mtime_ns
        except OSError:
            return False
        moment = self._monotonic()
        if changed_ns == self._names_changed_ns and not self._changing and moment - self._looked_at < _FULL_LOOK:
            return True
        self._names_changed_ns, self._looked_at = changed_ns, moment
        return False

    def _files(self) -> Iterator[tuple[str, InputKey]]:
        """Name and key of each, one by one. Raises OSError when the folder cannot be listed to its end."""
        with os.scandir(self.folder) as entries:
            yield from filter(None, map(self._file, entries))

    def _file(self, entry: os.DirEntry[str]) -> tuple[str, InputKey] | None:
        if entry.name.startswith("."):
            return None
        try:
            return (entry.name, self._key(entry.name, entry.stat())) if entry.is_file() else None
        except OSError:  # went between listing and looking
            return None

    def _key(self, name: str, found: os.stat_result) -> InputKey:
        return InputKey(self._prefix + _text(name), found.st_size, changed_ns(found))


def changed_ns(found: os.stat_result) -> int:
    """When a file was changed, in nanoseconds since 1970, as it can be remembered: some file systems take any time."""
    return min(_LATEST, max(_SOONEST, found.st_mtime_ns))


def _opened(path: Path) -> BinaryIO:
    """To be read without waiting, though it became a pipe since the look. Raises OSError."""
    return open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: PTH123


def _text(name: str) -> str:
    """A file name as UTF-8 text that can be stored and sent, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
