"""Images of a folder as they arrive.

A file is taken when two looks in a row find it with the same size and time of change, oldest first, each once: what is
done is remembered by name, size and time. Hidden files and subfolders are left alone; whether a file is an image is
judged by its content, later.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lineside.runtime.spool import InputKey

_AT_MOST = 256  # arrivals one look hands out
_FULL_LOOK = 2.0  # seconds after which files are looked at again although no name came or went
SETTLE = 5.0
"""Seconds for which a damaged file may still be one that is being written."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that has stopped changing."""

    path: Path
    key: InputKey


class FolderSource:
    """Looks into a folder when asked. Not for two threads."""

    def __init__(
        self,
        folder: Path,
        done: Iterable[InputKey] = (),
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self._done = set(done)
        self._changing: dict[str, InputKey] = {}  # as seen at the last look
        self._not_before: dict[InputKey, float] = {}
        self._names_changed_ns, self._looked_at = -1, float("-inf")
        self._monotonic, self._now = monotonic, now

    def look(self) -> list[Arrival]:
        """The files that are ready now, oldest first, at most 256. A folder that is not there is an empty one."""
        if self._nothing_new():
            return []
        ready: list[Arrival] = []
        changing: dict[str, InputKey] = {}
        moment = self._monotonic()
        for path, key in self._files():
            if key in self._done:
                continue
            if self._changing.get(key.name) == key and self._not_before.get(key, moment) <= moment:
                ready.append(Arrival(path, key))
            changing[key.name] = key
        self._changing = changing
        ready.sort(key=lambda arrival: (arrival.key.mtime_ns, arrival.key.name))
        return ready[:_AT_MOST]

    def read(self, arrival: Arrival) -> bytes | None:
        """The file's bytes, or None when it changed or went since the look: it is taken later, or never."""
        try:
            with arrival.path.open("rb") as file:
                data = file.read(arrival.key.size + 1)
                after = os.fstat(file.fileno())
        except OSError:
            return None
        same = (after.st_size, after.st_mtime_ns) == (arrival.key.size, arrival.key.mtime_ns)
        return data if same and len(data) == after.st_size else None

    def peek(self, arrival: Arrival, size: int) -> bytes | None:
        """The first bytes, without reading the rest; None when the file cannot be read."""
        try:
            with arrival.path.open("rb") as file:
                return file.read(size)
        except OSError:
            return None

    def finish(self, arrival: Arrival) -> None:
        """Never take this file again."""
        self._done.add(arrival.key)
        self._changing.pop(arrival.key.name, None)
        self._not_before.pop(arrival.key, None)

    def may_be_unfinished(self, arrival: Arrival) -> bool:
        """Whether a damaged file was changed so recently that its writer may only have paused."""
        return abs(self._now() - arrival.key.mtime_ns / 1e9) < SETTLE

    def postpone(self, arrival: Arrival) -> None:
        """Take the file again after a while, if it has not changed by then."""
        self._not_before[arrival.key] = self._monotonic() + SETTLE

    def gone(self) -> set[InputKey]:
        """Keys that are remembered although their file is no longer there; forgets them when they are the most."""
        present = {key for _, key in self._files()}
        if not present or len(self._done) < 2 * len(present) + 1000:
            return set()  # nothing present may be a disk that is not mounted: its files will be back
        gone = self._done - present
        self._done -= gone
        self._not_before = {key: at for key, at in self._not_before.items() if key in present}
        return gone

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

    def _files(self) -> Iterable[tuple[Path, InputKey]]:
        try:
            entries = list(os.scandir(self.folder))
        except OSError:
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_file():
                    found = entry.stat()
                    yield Path(entry.path), InputKey(_text(entry.name), found.st_size, found.st_mtime_ns)
            except OSError:  # went between listing and looking
                continue


def _text(name: str) -> str:
    """A file name as UTF-8 text that can be stored and sent, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
