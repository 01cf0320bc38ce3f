"""Export tasks on their way from the stream manager to the agent, in one folder.

    <id>.json   what is to be exported (`Claim`), written when the task is appended, before that is answered
    <id>.bin    the file to send: a hard link, or a copy where there can be none
    <id>.done   how it went (`Outcome`), written by the agent; the stream manager tells its status stream and removes it

A task belongs to this folder from the moment it was appended: its stream may be deleted at once, as real programs do
before they create it again, and its file may be too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from lineside.agent.durable import sync_directory, write_atomically

MAX_BYTES = 1 << 30
"""Of one exported file."""

_RESERVE = 64 << 20  # bytes that a copy leaves free on the disk
MOST_WAITING = 5000
"""Claims that wait for the agent; a program that appends more is told so."""

_MOST = 1 << 20  # bytes of a claim
_STRAY_SECONDS = 3600.0
_TIMESTAMP = re.compile(r"!\{timestamp:([^}]*)\}")
_CALENDAR = {"yyyy": "%Y", "YYYY": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


class Task(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """A message of a stream with an executor: upload a file as an object."""

    input_url: str
    bucket: str
    key: str
    user_metadata: dict[str, str] | None = None


class Claim(msgspec.Struct, kw_only=True):
    """A task and where it came from. `problem`: why it can never be done."""

    id: str
    task: Task
    key: str  # with its time filled in
    stream: str
    stream_id: str
    sequence: int
    exporter: str
    status_stream: str | None = None
    status_level: int = 2
    claimed_at: float
    problem: str = ""


class Outcome(msgspec.Struct, kw_only=True):
    """How an export went."""

    claim: Claim
    succeeded: bool
    message: str = ""
    bytes: int = 0
    at: float


def claim(folder: Path, made: Claim) -> None:
    """Take a task over, durably. Raises OSError when the disk does not take it, or too many wait already."""
    folder.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in folder.glob("*.json")) >= MOST_WAITING:
        raise OSError(errno.EDQUOT, f"{MOST_WAITING} exports wait for the control plane already")
    data = folder / f"{made.id}.bin"
    made.problem = made.problem or _take(made.task.input_url, data)
    write_atomically(folder / f"{made.id}.json", msgspec.json.encode(made))


def drop(folder: Path, ids: Iterable[str]) -> None:
    """Let go of claims whose message was not appended after all."""
    for id in ids:
        for suffix in (".json", ".bin"):
            (folder / f"{id}{suffix}").unlink(missing_ok=True)


def new_id() -> str:
    """A name for a claim that no other has."""
    return uuid.uuid4().hex


def task_of(payload: bytes) -> Task | str:
    """The task in a message, or why it is none."""
    try:
        task = msgspec.json.decode(payload, type=Task)
    except msgspec.MsgspecError as error:
        return f"it is no export task: {error}"
    if not 1 <= len(task.key.encode()) <= 1024 or not 1 <= len(task.bucket) <= 255:
        return "its key or its bucket is empty or too long"
    return task


def key_at(key: str, at: float) -> str:
    """A key with `!{timestamp:yyyy/MM/dd}` filled in, in UTC."""

    def fill(found: re.Match[str]) -> str:
        return re.sub("|".join(_CALENDAR), lambda part: time.strftime(_CALENDAR[part[0]], time.gmtime(at)), found[1])

    return _TIMESTAMP.sub(fill, key)


def waiting(folder: Path) -> list[Path]:
    """Claims that wait for the agent, oldest first."""
    found = []
    for path in folder.glob("*.json"):
        with contextlib.suppress(FileNotFoundError):
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]


def read(path: Path) -> Claim:
    """The claim in a file. Raises `msgspec.MsgspecError`, ValueError, OSError for what is none."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        found = msgspec.json.decode(file.read(_MOST), type=Claim)
    if found.id != path.stem or not found.id.isalnum():
        raise ValueError("it is called otherwise than its file")
    return found


def finish(folder: Path, outcome: Outcome) -> None:
    """Say how a claim went and let go of it."""
    write_atomically(folder / f"{outcome.claim.id}.done", msgspec.json.encode(outcome))
    for suffix in (".bin", ".json"):
        (folder / f"{outcome.claim.id}{suffix}").unlink(missing_ok=True)


def finished(folder: Path) -> Iterator[tuple[Path, Outcome]]:
    """What the agent has said, for the stream manager; what cannot be read is removed."""
    for path in sorted(folder.glob("*.done")):
        try:
            yield path, msgspec.json.decode(path.read_bytes(), type=Outcome)
        except msgspec.MsgspecError:
            path.unlink(missing_ok=True)


def remove_strays(folder: Path) -> None:
    """Remove files whose claim was never written: the stream manager died before."""
    for path in folder.glob("*.bin"):
        with contextlib.suppress(FileNotFoundError):
            old = time.time() - path.stat().st_ctime > _STRAY_SECONDS
            if old and not path.with_suffix(".json").exists():
                path.unlink()


def _take(url: str, data: Path) -> str:
    """Make `data` the file a URL names; why that is impossible, or nothing. Raises OSError when the disk refuses."""
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        return f"{url} is no file:/… URL"
    source = Path(unquote(parts.path))
    try:
        found = source.stat()
    except (OSError, ValueError) as error:
        return f"{source} cannot be read: {error}"
    if not source.is_file() or found.st_size > MAX_BYTES:
        return f"{source} is no file of at most {MAX_BYTES} bytes"
    try:
        os.link(source.resolve(), data)
    except OSError:
        if found.st_size + _RESERVE > shutil.disk_usage(data.parent).free:
            return f"there is no room for a copy of {source}"
        return _copy(source, data)
    sync_directory(data.parent)
    return ""


def _copy(source: Path, data: Path) -> str:
    try:
        reading = source.open("rb")
    except OSError as error:
        return f"{source} cannot be read: {error}"
    with reading, data.open("xb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
    sync_directory(data.parent)
    return ""
