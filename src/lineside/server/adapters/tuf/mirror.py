"""A copy in R/tuf of metadata that lies in a shared database, so that restoring an older one takes nothing back.

Devices refuse metadata that is older than what they saw. A control plane on SQLite has its metadata beside the
database, and keeps it over a restore; one on PostgreSQL keeps a copy, and at its start whichever is newer counts.
"""

from __future__ import annotations

from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Timestamp

from lineside.server.adapters.files import write_atomic
from lineside.server.adapters.tuf.names import is_metadata, name_of
from lineside.server.adapters.tuf.shelf import FolderShelf, Shelf

_LAST = name_of("timestamp")
"""What names all others; it is written last, so that a copy that was cut off does not count."""


def keep_copy(shelf: Shelf, folder: Path) -> bool:
    """Bring the copy in `folder` up to date; whether there was something to do. A newer copy stays as it is."""
    if isinstance(shelf, FolderShelf):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    copy = FolderShelf(folder, write_atomic)
    with shelf.locked():
        if version_on(shelf) <= version_on(copy):
            return False
        files = {name: shelf.read(name) for name in shelf.names() if is_metadata(name)}
    there = set(copy.names())
    for name in sorted(files, key=lambda name: name == _LAST):
        if name not in there or copy.read(name) != files[name]:  # also a number that is given again after a restore
            copy.write(name, files[name])
    for name in there - files.keys():
        if is_metadata(name):
            copy.remove(name)
    return True


def take_newer(shelf: Shelf, folder: Path) -> bool:
    """Take the copy in `folder` when it is newer than what lies on the shelf, or nothing does; whether it was taken.

    That is so after an older database was restored, and for what a release before kept in R/tuf alone. Nothing is
    believed for lying there: whoever reads it verifies it.
    """
    if isinstance(shelf, FolderShelf) or not (folder / _LAST).exists():
        return False
    copy = FolderShelf(folder)
    with shelf.locked():
        if version_on(copy) <= version_on(shelf):
            return False
        for name in sorted(filter(is_metadata, copy.names()), key=lambda name: name == _LAST):
            shelf.write(name, copy.read(name))
    return True


def version_on(shelf: Shelf) -> int:
    """The version of the timestamp; 0 when there is none that can be read."""
    try:
        found: Metadata[Timestamp] = Metadata.from_bytes(shelf.read(_LAST))
    except (FileNotFoundError, RepositoryError):
        return 0
    return int(found.signed.version)
