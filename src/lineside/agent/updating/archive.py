"""Unpacking a ZIP that nobody here made: only regular files, only below the target, only so much.

The archive's bytes were verified by digest before; these checks are for what its builder put in, by mistake or not.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from lineside.agent.updating.zip_directory import check_directory, check_places
from lineside.contract.errors import LinesideError

MAX_ENTRIES = 20_000
MAX_BYTES = 4 << 30  # of all unpacked files together
MAX_RATIO = 200  # unpacked to packed, looked at above RATIO_FROM bytes
RATIO_FROM = 64 << 20
MAX_PATH = 1024  # bytes of a path
MAX_NAME = 255  # bytes of each of its parts
MAX_DEPTH = 64  # parts of a path
_CHUNK = 1 << 20
_UNPRINTABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")


def unpack(
    archive: Path, name: str, target: Path, *, max_bytes: int = MAX_BYTES, check: Callable[[], None] = lambda: None
) -> None:
    """Unpack `archive` (called `name` in errors) below the new directory `target`; every file is fsynced.

    `check` is called again and again, and may raise to break it off.
    Raises `archive.invalid`, `archive.path_escape`, `archive.name`, `archive.link`, `archive.too_large`,
    `archive.too_many`.
    """
    try:
        with archive.open("rb") as file:
            directory = check_directory(file, name, MAX_ENTRIES)
            with zipfile.ZipFile(file) as source:
                entries = source.infolist()
                _check(entries, name, max_bytes, archive.stat().st_size)
                check_places(file, name, entries, directory)
                target.mkdir(parents=True)
                for entry in entries:
                    _extract(source, entry, target, check)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, UnicodeError) as error:
        raise LinesideError("archive.invalid", name=name, why=error) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise LinesideError("archive.invalid", name=name, why="two entries have the same path") from error


def _check(entries: list[zipfile.ZipInfo], name: str, max_bytes: int, packed: int) -> None:
    """Everything that can be refused before a byte is written."""
    total = sum(entry.file_size for entry in entries)
    limit = min(max_bytes, max(RATIO_FROM, packed * MAX_RATIO))
    if total > limit:
        raise LinesideError("archive.too_large", name=name, limit=limit)
    seen: dict[str, str] = {}
    for entry in entries:
        _check_path(entry, name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise LinesideError("archive.link", name=name, path=entry.filename)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise LinesideError("archive.invalid", name=name, why=f"compression method {entry.compress_type}")
        _check_twin(entry.filename, seen, name)


def _check_twin(path: str, seen: dict[str, str], name: str) -> None:
    """Refuse names that are one and the same where case does not count; a directory may be named twice."""
    parts = PurePosixPath(path).parts
    for depth in range(1, len(parts) + 1):
        own = "/".join(parts[:depth])
        other = seen.setdefault(own.casefold(), own)
        if other != own:
            raise LinesideError("archive.invalid", name=name, why=f"{other} and {own} are the same name on some disks")


def _check_path(entry: zipfile.ZipInfo, name: str) -> None:
    # zipfile cuts names at NUL and rewrites separators; orig_filename is what the archive really says.
    path = entry.orig_filename
    parts = PurePosixPath(path).parts
    bad = not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path or ":" in parts[0]
    if bad:
        raise LinesideError("archive.path_escape", name=name, path=repr(path)[:MAX_PATH])
    long = len(path.encode(errors="replace")) > MAX_PATH or len(parts) > MAX_DEPTH
    if long or any(len(part.encode(errors="replace")) > MAX_NAME for part in parts):
        raise LinesideError("archive.name", name=name, path=f"{path[:40]!r}…", why="too long")
    if _UNPRINTABLE.search(path):
        raise LinesideError("archive.name", name=name, path=repr(path), why="not for people to read")


def _extract(source: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, check: Callable[[], None]) -> None:
    check()
    path = target.joinpath(*PurePosixPath(entry.filename).parts)
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o755 if (entry.external_attr >> 16) & 0o111 else 0o644
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as file, source.open(entry) as content:
        _copy(content, file, entry.file_size, check)
        file.flush()
        os.fsync(file.fileno())


def _copy(content: IO[bytes], file: IO[bytes], promised: int, check: Callable[[], None]) -> None:
    """Copy at most what the directory of the archive promised: a lying header is a broken archive."""
    written = 0
    while chunk := content.read(_CHUNK):
        check()
        written += len(chunk)
        if written > promised:
            raise zipfile.BadZipFile("an entry is longer than it says")
        file.write(chunk)
