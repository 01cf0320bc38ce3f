"""Names of classes in a file of their own, one a line: what orders them where labels only name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lineside.server.datasets.formats.folder import SMALL, Folder
from lineside.server.datasets.formats.text import text, unreadable
from lineside.server.datasets.formats.writer import Export, Made

_FILES = ("classes.txt", "obj.names", "labels.txt")


def listed(folder: Folder) -> tuple[str, ...]:
    """The names in `classes.txt`, `obj.names` or `labels.txt`, wherever the first of them is; nothing without one."""
    for name in _FILES:
        for path in folder.ending(name):
            if folder.is_picture(path):  # a name says nothing
                continue
            lines = text(path, folder.read(path, SMALL)).splitlines()
            return checked(path, [line.strip() for line in lines if line.strip()])
    return ()


def ordered(folder: Folder, used: Iterable[str]) -> tuple[str, ...]:
    """The names that a file lists, then others that labels use: by number where all are numbers, else sorted."""
    first = listed(folder)
    return (*first, *in_order(set(used) - set(first)))


def in_order(names: Iterable[str]) -> list[str]:
    """Names in the order of their numbers, where they are numbers, else of their letters."""
    found = sorted(names)
    return sorted(found, key=int) if all(name.isascii() and name.isdigit() for name in found) else found


def checked(file: str, names: list[str]) -> tuple[str, ...]:
    """The names. Raises `dataset.file_unreadable` when two are the same or one is empty."""
    if not all(names) or len(set(names)) != len(names):
        raise unreadable(file, "class names must differ and not be empty")
    return tuple(names)


def written(export: Export) -> Iterator[Made]:
    """`classes.txt`. A name of several lines is counted and left out."""
    lines = []
    for name in export.classes:
        if name.splitlines() == [name]:
            lines.append(name)
        else:
            export.warnings.add("dataset.name_unsaid", repr(name))
    free = (path for path in _FILES if export.free(path) == path)  # no other name is looked for
    yield Made(next(free, export.free(_FILES[0])), ["".join(f"{line}\n" for line in lines).encode()])
