"""What a recorded life did to its disk: which names changed in which order, what was synced, whose bytes were not.

The rules are POSIX's, not those of one kind of file system: a file's bytes are safe once the file was fsynced, a name
is safe once its directory was; syncing a file says nothing about its name, nor syncing a directory about those above.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path


@dataclasses.dataclass(eq=False)
class File:
    """A file's bytes: `safe` of them survive any power cut; `old` is a copy of what it held before it was emptied."""

    path: Path
    safe: int | None = None  # None: all of them
    old: Path | None = None


@dataclasses.dataclass(eq=False)
class Change:
    """One change of a name. `paths` are the names it touches, `kept` the old bytes of a name that went away."""

    kind: str
    paths: tuple[Path, ...]
    kept: Path | None = None
    safe: bool = False


class History:
    """The events of one life, replayed over what was on disk before it."""

    def __init__(self, journal: Path) -> None:
        self.changes: list[Change] = []
        self._files: dict[Path, File] = {}
        self._gone: list[File] = []
        for event in _events(journal):
            getattr(self, f"_{event[0]}")(*event[1:])

    def unsafe(self) -> list[File]:
        """Files with bytes that a power cut may take."""
        return [file for file in {*self._files.values(), *self._gone} if file.safe is not None]

    def known(self, path: Path) -> bool:
        """Whether something was recorded about a file of this name."""
        return path in self._files

    # --- events ---------------------------------------------------------------------------------------------------

    def _create(self, path: str) -> None:
        self._files[Path(path)] = File(Path(path), safe=0)
        self.changes.append(Change("create", (Path(path),)))

    def _open(self, path: str, size: int, append: bool, old: str | None) -> None:
        file = self._file(Path(path))
        if append:
            file.safe = size if file.safe is None else file.safe
        else:
            file.safe = 0
            file.old = file.old or (Path(old) if old else None)

    def _sync(self, path: str, size: int) -> None:
        directory = Path(path)
        arrived: set[Path] = set()  # a name that is safe under its new name needs its old one no more
        for change in reversed(self.changes):
            change.safe = (
                change.safe or directory in (one.parent for one in change.paths) or change.paths[-1] in arrived
            )
            if change.kind == "rename" and change.safe:
                arrived.add(change.paths[0])
        file = self._file(directory)
        file.safe, file.old = size, None

    def _rename(self, source: str, target: str, kept: str | None) -> None:
        old, new = Path(source), Path(target)
        self._lose(new, kept)
        for path in [path for path in self._files if path == old or old in path.parents]:
            moved = new / path.relative_to(old)
            file = self._files.pop(path)
            file.path = moved if file.path == path else file.path
            self._files[moved] = file
        self.changes.append(Change("rename", (old, new), Path(kept) if kept else None))

    def _link(self, source: str, target: str) -> None:
        self._files[Path(target)] = self._file(Path(source))
        self.changes.append(Change("link", (Path(target),)))

    def _unlink(self, path: str, kept: str | None) -> None:
        self._lose(Path(path), kept)
        self.changes.append(Change("unlink", (Path(path),), Path(kept) if kept else None))

    def _mkdir(self, path: str) -> None:
        self.changes.append(Change("mkdir", (Path(path),)))

    def _rmdir(self, path: str) -> None:
        self.changes.append(Change("rmdir", (Path(path),)))

    def _symlink(self, path: str) -> None:
        self.changes.append(Change("symlink", (Path(path),)))

    def _file(self, path: Path) -> File:
        return self._files.setdefault(path, File(path))

    def _lose(self, path: Path, kept: str | None) -> None:
        """A name goes away; its bytes live on under the name that the recorder gave them."""
        file = self._files.pop(path, None)
        if file is not None and kept is not None and file.path == path:
            file.path = Path(kept)
            self._gone.append(file)


def _events(journal: Path) -> Iterator[list[object]]:
    try:
        lines = (journal / "events").read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        if line:
            yield json.loads(line)


def below(path: Path, other: Path) -> bool:
    """Whether `path` is `other` or lies in it."""
    return path == other or os.fspath(path).startswith(f"{other}/")
