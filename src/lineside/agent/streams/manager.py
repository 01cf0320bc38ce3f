"""All streams of a device, each in a folder named by its digest below the store root."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lineside.agent.durable import sync_directory
from lineside.agent.streams import claims
from lineside.agent.streams.claims import Claim, Outcome, Task
from lineside.agent.streams.protocol import Definition, Refused, Status, TaskExecutor, definition_of
from lineside.agent.streams.segments import Message
from lineside.agent.streams.stream import Kept, Stream

MAX_STREAMS = 1000
MAX_WAIT = 3600.0
"""Seconds that a read may wait."""

_LEVELS = {True: 2, False: 0}  # of news: success is information, failure an error
_STATUSES = {True: 0, False: 1}

_log = logging.getLogger(__name__)


class Manager:
    """Streams by name. Every method may be called by any thread; what is refused raises `Refused`."""

    def __init__(self, root: Path, exports: Path) -> None:
        self._root = root
        self._exports = exports
        self._lock = threading.Lock()
        self._streams: dict[str, Stream] = {}
        root.mkdir(parents=True, exist_ok=True)
        for folder in sorted(root.iterdir()):
            self._load(folder)

    def create(self, value: Any) -> None:
        """Make a stream."""
        definition = definition_of(value)
        with self._lock:
            if definition.name in self._streams:
                raise Refused(Status.INVALID, f"there is a stream {definition.name} already")
            if len(self._streams) >= MAX_STREAMS:
                raise Refused(Status.INVALID, f"there are {MAX_STREAMS} streams already")
            self._streams[definition.name] = self._make(definition)

    def update(self, value: Any) -> None:
        """Change a stream's definition."""
        definition = definition_of(value)
        self._named(definition.name).update(definition)

    def delete(self, name: Any) -> None:
        """Remove a stream with its messages. Tasks that were appended to it are exported all the same."""
        with self._lock:
            stream = self._named(name)
            del self._streams[stream.definition.name]
            stream.end(gone=True)  # first, so that nothing writes to its folder's name any more
            folder = self._folder(stream.definition.name)
            doomed = folder.with_name(f"deleted-{uuid.uuid4().hex}")
            folder.rename(doomed)
            sync_directory(self._root)
        shutil.rmtree(doomed, ignore_errors=True)

    def append(self, name: Any, payload: Any) -> int:
        """Add a message, claimed for export before it is there if its stream has tasks; its sequence number."""
        stream = self._named(name)
        if not isinstance(payload, bytes) or not payload:
            raise Refused(Status.INVALID, "a payload is one byte at least")
        executors = [one for one in stream.definition.executors if not one.disabled]
        if not executors:
            return stream.append(payload)
        task = claims.task_of(payload)
        if isinstance(task, str):
            raise Refused(Status.INVALID, task)
        return stream.append(payload, lambda sequence: self._claim(stream, executors, task, sequence))

    def read(self, name: Any, options: Mapping[str, Any] | None) -> list[Message]:
        """Messages of a stream."""
        wanted = options or {}
        start = _number(wanted, "desiredStartSequenceNumber", 0, 0)
        least = _number(wanted, "minMessageCount", 1, 1)
        most = _number(wanted, "maxMessageCount", least, 1)
        timeout = _number(wanted, "readTimeoutMillis", 0, 0) / 1000
        if most < least:
            raise Refused(Status.INVALID, "maxMessageCount is less than minMessageCount")
        return self._named(name).read(start, least, most, min(timeout, MAX_WAIT))

    def names(self) -> list[str]:
        """Every stream."""
        with self._lock:
            return sorted(self._streams)

    def describe(self, name: Any) -> dict[str, Any]:
        """One stream in full."""
        return self._named(name).describe()

    def maintain(self) -> None:
        """What must be done now and then: expiry, durability, news of exports."""
        with self._lock:
            streams = list(self._streams.values())
        for stream in streams:
            stream.maintain()
        for path, outcome in claims.finished(self._exports):
            self._tell(outcome)
            path.unlink(missing_ok=True)
        claims.remove_strays(self._exports)

    def close(self) -> None:
        """Make everything durable and let go of it."""
        with self._lock:
            for stream in self._streams.values():
                stream.end(gone=False)
            self._streams.clear()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _load(self, folder: Path) -> None:
        if not (folder / "stream.json").is_file():
            shutil.rmtree(folder, ignore_errors=True)  # half made, or half deleted
            return
        if folder.name.startswith("deleted-"):
            shutil.rmtree(folder, ignore_errors=True)
            return
        try:
            kept = msgspec.json.decode((folder / "stream.json").read_bytes(), type=Kept)
            self._streams[kept.definition.name] = Stream(folder, kept)
        except (msgspec.MsgspecError, OSError) as error:
            _log.error("the stream in %s cannot be read: %s", folder, error)

    def _make(self, definition: Definition) -> Stream:
        folder = self._folder(definition.name)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        stream = Stream(folder, Kept(id=uuid.uuid4().hex, definition=definition))
        stream.save()
        sync_directory(self._root)
        return stream

    def _folder(self, name: str) -> Path:
        return self._root / hashlib.sha256(name.encode()).hexdigest()[:32]

    def _named(self, name: Any) -> Stream:
        stream = self._streams.get(name) if isinstance(name, str) else None
        if stream is None:
            raise Refused(Status.NOT_FOUND, f"there is no stream {name}")
        return stream

    def _claim(
        self, stream: Stream, executors: Sequence[TaskExecutor], task: Task, sequence: int
    ) -> Callable[[], None]:
        """Take a task over for each executor; what gives it back."""
        made = [_claim_of(stream, executor, task, sequence) for executor in executors]
        undo = functools.partial(claims.drop, self._exports, [one.id for one in made])
        try:
            for one in made:
                claims.claim(self._exports, one)
        except OSError:
            undo()
            raise
        return undo

    def _tell(self, outcome: Outcome) -> None:
        """News for the stream itself and for the status stream of its exporter, if they are still there."""
        made = outcome.claim
        stream = self._streams.get(made.stream)
        if stream is not None:
            stream.exported(outcome)
        level = _LEVELS[outcome.succeeded]
        target = self._streams.get(made.status_stream or "")
        if target is None or level > made.status_level:
            return
        with contextlib.suppress(Refused):
            target.append(msgspec.json.encode(_news(outcome, level)))


def _claim_of(stream: Stream, executor: TaskExecutor, task: Task, sequence: int) -> Claim:
    config, now = executor.status_config, time.time()
    return Claim(
        id=claims.new_id(),
        task=task,
        key=claims.key_at(task.key, now),
        stream=stream.definition.name,
        stream_id=stream.kept.id,
        sequence=sequence,
        exporter=executor.identifier,
        status_stream=None if config is None else config.status_stream_name,
        status_level=2 if config is None or config.status_level is None else config.status_level,
        claimed_at=now,
    )


def _news(outcome: Outcome, level: int) -> dict[str, Any]:
    """A status message as the wire has it."""
    made = outcome.claim
    return {
        "eventType": 0,
        "statusLevel": level,
        "status": _STATUSES[outcome.succeeded],
        "statusContext": {
            "s3ExportTaskDefinition": msgspec.to_builtins(made.task),
            "exportIdentifier": made.exporter,
            "streamName": made.stream,
            "sequenceNumber": made.sequence,
        },
        "message": outcome.message,
        "timestampEpochMs": int(outcome.at * 1000),
    }


def _number(options: Mapping[str, Any], key: str, default: int, least: int) -> int:
    found = options.get(key)
    if found is None:
        return default
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found < 1 << 63:
        raise Refused(Status.INVALID, f"{key} is a number of at least {least}")
    return found
