"""Files that are there completely or not at all, whenever the power goes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make a file's bytes survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directories(path: Path) -> None:
    """Make a directory and those above it that are missing, each name on disk: syncing a file does not sync them."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file in one step: temporary file, fsync, rename, fsync of the directory."""
    make_directories(path.parent)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def keep(path: Path, data: bytes, mode: int = 0o644) -> None:
    """See that a file holds these bytes; one that does already is left alone, so that this works on a full disk."""
    try:
        same = path.read_bytes() == data
    except FileNotFoundError:
        same = False
    if not same:
        write_atomically(path, data, mode)


def sync_tree(path: Path) -> None:
    """Fsync every directory of a tree, leaves first; its files were synced when they were written."""
    for directory, _, _ in os.walk(path, topdown=False):
        sync_directory(Path(directory))


def rename_directory(built: Path, final: Path) -> None:
    """Put a finished directory in its place with one rename; what was there is moved aside first and then removed."""
    sync_tree(built)
    aside = final.with_name(f"{final.name}.old")
    remove_tree(aside)
    if final.exists():
        final.rename(aside)
    built.rename(final)
    sync_directory(final.parent)
    remove_tree(aside)


def remove_tree(path: Path) -> None:
    """Remove a directory tree if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
