"""One stream: its definition, its messages, and what is known of its exports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lineside.agent.durable import write_atomically
from lineside.agent.streams.claims import Outcome
from lineside.agent.streams.memory import Memory
from lineside.agent.streams.protocol import Definition, Refused, Status
from lineside.agent.streams.segments import OVERHEAD, Damaged, Message, Segments

MEMORY = 1
OVERWRITE = 1
MAX_ANSWER = 16 << 20
"""Bytes of the messages of one answer; a message alone may be larger."""

SANE = 1_704_067_200_000
"""1 January 2024 in milliseconds: a message from before was stamped by a clock that was not set, and never expires."""


class Exported(msgspec.Struct, kw_only=True):
    """What one exporter has done."""

    sequence: int | None = None
    at: int | None = None  # milliseconds since the epoch
    bytes: int = 0
    messages: int = 0
    error: str = ""


class Kept(msgspec.Struct, kw_only=True):
    """What is on disk of a stream beside its messages."""

    id: str
    definition: Definition
    exported: dict[str, Exported] = {}


class Stream:
    """One stream, in a folder of its own. Every method may be called by any thread."""

    def __init__(self, folder: Path, kept: Kept) -> None:
        self.kept = kept
        self._folder = folder
        self._changed = threading.Condition()
        self._dirty = False
        self._gone = False
        self._messages: Segments | Memory = Memory() if kept.definition.persistence == MEMORY else Segments(folder)

    @property
    def definition(self) -> Definition:
        """As it is now."""
        return self.kept.definition

    def append(self, payload: bytes, before: Callable[[int], Callable[[], None]] | None = None) -> int:
        """Add a message; its sequence number. Raises `Refused`, OSError.

        `before` is called with the sequence number before the message is there, and returns what undoes it.
        """
        with self._changed:
            self._check()
            self._make_room(OVERHEAD + len(payload))
            undo = before(self._messages.next) if before is not None else None
            try:
                sequence = self._messages.append(_now(), payload, self.definition.segment_size)
            except OSError:
                if undo is not None:
                    undo()
                raise
            self._dirty = True
            if self.definition.flush_on_write or self.definition.executors:
                self._sync()
            self._changed.notify_all()
            return sequence

    def read(self, start: int, least: int, most: int, timeout: float) -> list[Message]:
        """Messages from `start` or the oldest there is, waiting for `least` of them. Raises `Refused`."""
        with self._changed:
            self._changed.wait_for(lambda: self._gone or self._from(start) + least <= self._messages.next, timeout)
            self._check()
            if self._from(start) + least > self._messages.next:
                raise Refused(Status.NOT_ENOUGH, f"there are no {least} messages from {start} on")
            return self._collect(self._from(start), least, most)

    def describe(self) -> dict[str, Any]:
        """Its definition, storage and exports, as the wire has them."""
        with self._changed:
            storage = {
                "oldestSequenceNumber": self._messages.oldest,
                "newestSequenceNumber": self._messages.next - 1,
                "totalBytes": self._messages.size,
            }
            exports = [self._export(one.identifier, "") for one in self.definition.executors]
            if self.definition.export_definition is not None:
                unsupported = self.definition.export_definition.unsupported()
                exports += [self._export(name, f"Exports to {kind} are not supported.") for name, kind in unsupported]
            return {
                "definition": msgspec.to_builtins(self.definition),
                "storageStatus": storage,
                "exportStatuses": exports,
            }

    def update(self, definition: Definition) -> None:
        """Take on another definition. Raises `Refused`."""
        with self._changed:
            self._check()
            if (definition.persistence or 0) != (self.definition.persistence or 0):
                raise Refused(Status.UPDATE_NOT_ALLOWED, "a stream stays in memory or on disk, as it was created")
            self.kept.definition = definition
            self.save()
            while self._messages.size > definition.size and self._messages.drop_oldest():
                pass

    def exported(self, outcome: Outcome) -> None:
        """Remember how an export went."""
        with self._changed:
            if self._gone or outcome.claim.stream_id != self.kept.id:
                return
            known = self.kept.exported.setdefault(outcome.claim.exporter, Exported())
            known.error = "" if outcome.succeeded else outcome.message
            if outcome.succeeded:
                known.sequence = max(known.sequence or 0, outcome.claim.sequence)
                known.at = int(outcome.at * 1000)
                known.bytes += outcome.bytes
                known.messages += 1
            self.save()

    def maintain(self) -> None:
        """Drop what is too old; make what was appended since the last time survive a power cut."""
        with self._changed:
            if self._gone:
                return
            ends = self._messages.oldest_ends()
            life = self.definition.time_to_live_millis
            while life is not None and ends is not None and SANE <= ends < _now() - life:
                self._messages.drop_oldest()
                ends = self._messages.oldest_ends()
            if self._dirty:
                self._sync()

    def save(self) -> None:
        """Write what is kept of it, durably."""
        write_atomically(self._folder / "stream.json", msgspec.json.encode(self.kept))

    def end(self, *, gone: bool) -> None:
        """Nobody may use it any more; those who wait are told that it is gone if it is."""
        with self._changed:
            if not self._gone:
                if not gone:
                    self._sync()
                self._messages.close()
            self._gone = True
            self._changed.notify_all()

    def _check(self) -> None:
        if self._gone:
            raise Refused(Status.NOT_FOUND, f"there is no stream {self.definition.name}")

    def _from(self, start: int) -> int:
        return max(start, self._messages.oldest)

    def _collect(self, start: int, least: int, most: int) -> list[Message]:
        found: list[Message] = []
        size = 0
        try:
            for message in self._messages.read(start):
                if len(found) >= most or (found and size + len(message.payload) > MAX_ANSWER):
                    break
                found.append(message)
                size += len(message.payload)
        except Damaged as error:
            if len(found) < least:
                raise Refused(Status.READ_ERROR, str(error)) from error
        if len(found) < least:
            raise Refused(Status.RESPONSE_TOO_LARGE, f"{least} messages are more than {MAX_ANSWER} bytes")
        return found

    def _make_room(self, needed: int) -> None:
        limit = self.definition.size
        if needed > limit:
            raise Refused(Status.REQUEST_TOO_LARGE, f"the message is larger than the stream may be ({limit} bytes)")
        while self._messages.size + needed > limit:
            if self.definition.strategy_on_full != OVERWRITE or not self._messages.drop_oldest():
                raise Refused(Status.UNKNOWN_FAILURE, f"the stream is full ({limit} bytes)")

    def _sync(self) -> None:
        self._messages.sync()
        self._dirty = False

    def _export(self, name: str, unsupported: str) -> dict[str, Any]:
        known = self.kept.exported.get(name, Exported())
        return {
            "exportConfigIdentifier": name,
            "lastExportedSequenceNumber": -1 if known.sequence is None else known.sequence,
            "lastExportTime": known.at or 0,
            "errorMessage": unsupported or known.error,
            "exportedBytesFromStream": known.bytes,
            "exportedMessagesCount": known.messages,
        }


def _now() -> int:
    return int(time.time() * 1000)
