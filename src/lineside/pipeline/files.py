"""Files on the worker's disk that are whole or absent, whatever happens to the power."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path


def digest_of_file(file: Path) -> str:
    """The digest of a file's bytes, `sha256:<hex>`."""
    with file.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def write_whole(target: Path, data: bytes) -> None:
    """Write `target` so that a reader sees all of `data` or the file that was there before."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    with part.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    put_in_place(part, target)


def put_in_place(part: Path, target: Path) -> None:
    """Rename a finished file to its name and make the rename durable."""
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def pack_folder(folder: Path, target: Path) -> Path:
    """A folder as a tar: the same names and bytes make the same file. Links and other things are left out."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_symlink() or not file.is_file():
                continue
            entry = tarfile.TarInfo(file.relative_to(folder).as_posix())
            entry.size, entry.mode = file.stat().st_size, 0o755 if os.access(file, os.X_OK) else 0o644
            with file.open("rb") as stream:
                packed.addfile(entry, stream)
    return target
