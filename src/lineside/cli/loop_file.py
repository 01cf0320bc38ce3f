"""A loop.yaml on this machine: read, with its files sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of, is_digest
from lineside.contract.loop import LoopDocument
from lineside.contract.loop_yaml import read_loop

_LEFT_OUT = {"__pycache__", ".git", ".venv", "node_modules"}


def load_loop(client: Client, file: Path) -> LoopDocument:
    """The loop of a file, with the files it names sent as blobs. Raises `loop.unreadable`, `cli.file_unreadable`."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as why:
        raise LinesideError("cli.file_unreadable", file=file, why=why) from why
    folder = file.resolve().parent
    return read_loop(
        text,
        str(file),
        send=lambda path: path if is_digest(path) else upload_file(client, folder / path),
        collect=lambda paths: _collected(client, folder, paths),
    )


def upload_file(client: Client, file: Path) -> str:
    """Send a file as a blob if it is not there yet; answers its digest. Raises `cli.file_unreadable`."""
    try:
        data = file.read_bytes()
    except OSError as why:
        raise LinesideError("cli.file_unreadable", file=file, why=why.strerror) from why
    digest = digest_of(data)
    return client.put_blob(data) if client.blobs_missing([digest]) else digest


def _collected(client: Client, folder: Path, paths: Sequence[str]) -> dict[str, str]:
    """Code files and those in code folders, by their path from the loop.yaml."""
    found = {}
    for path in paths:
        target = (folder / path).resolve()
        if not target.is_relative_to(folder) or not target.exists():
            raise LinesideError("cli.file_unreadable", file=path, why="it is not beside the loop.yaml")
        for file in _files(target):
            found[file.relative_to(folder).as_posix()] = upload_file(client, file)
    return found


def _files(target: Path) -> Iterator[Path]:
    if target.is_file():
        yield target
        return
    for file in sorted(target.rglob("*")):
        if file.is_file() and not _LEFT_OUT & set(file.relative_to(target).parts):
            yield file
