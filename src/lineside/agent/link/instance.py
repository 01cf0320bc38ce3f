"""Counts this device's token requests, so that the control plane notices when two agents use one identity.

Before each request the next number and a new nonce are on the disk, with the nonces of earlier requests whose answer
was never seen: they may still be on their way, and must not be taken for another agent's. The control plane's rule is
in `server.devices.instances`.

keys/instance.json has two lines of one block each, written in turns and in place: a write that a power cut tore leaves
the other line, whose number was the last that can have been sent, and a full disk takes it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
import time
from pathlib import Path

import msgspec

from lineside.agent import crash
from lineside.agent.durable import write_atomically
from lineside.contract.ids import content_digest
from lineside.contract.reading import UNREADABLE

BLOCK = 4096
MAX_EARLIER = 60
"""Nonces that an assertion names at most."""
_UNDER_WAY = 3600.0
"""Seconds after which a request can't arrive any more: its assertion was good for a minute."""

_log = logging.getLogger(__name__)


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """What an assertion says about its agent: claims of these names."""

    count: int
    nonce: str
    earlier: tuple[str, ...] = ()


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    said: Count
    digest: str  # of `said`: a torn line has another


class Instance:
    """One agent's count. Whoever uses it holds a lock around `next`, the request and `answered`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: Count | None = None  # what is on the disk
        self._unanswered: dict[str, float] = {}  # nonce to when it was sent, by the monotonic clock
        self._repeated = False  # what is on the disk was said more than once

    def next(self) -> Count:
        """What the next assertion says; it is on the disk. While the disk takes nothing, what was said last.

        Raises OSError when nothing was ever said and the disk takes nothing.
        """
        with self._lock:
            if self._kept is None:
                self._open()
            assert self._kept is not None
            now = time.monotonic()
            earlier = tuple(nonce for nonce, at in self._unanswered.items() if now - at < _UNDER_WAY)[-MAX_EARLIER:]
            said = Count(count=self._kept.count + 1, nonce=secrets.token_hex(8), earlier=earlier)
            try:
                self._keep(said)
            except OSError as error:
                if self._kept.count == 0:
                    raise
                _log.warning("the disk takes no new count: %s", error)
                self._unanswered[self._kept.nonce] = now
                self._repeated = True
                return self._kept
            self._kept, self._repeated = said, False
            self._unanswered = {nonce: self._unanswered[nonce] for nonce in earlier} | {said.nonce: now}
            return said

    def answered(self) -> None:
        """The control plane has answered the newest."""
        with self._lock:
            if self._kept is not None and not self._repeated:  # of one said twice, the other may be under way
                self._unanswered.pop(self._kept.nonce, None)

    def _open(self) -> None:
        """Go on where the agent before this one stopped; whether it saw an answer to its last is not known."""
        found = _read(self._path)
        if found is None:
            found = Count(count=0, nonce=secrets.token_hex(8))
            write_atomically(self._path, _line(found) + b" " * (BLOCK - 1) + b"\n", 0o600)
        self._kept = found
        self._unanswered = dict.fromkeys((*found.earlier, found.nonce), time.monotonic()) if found.count else {}

    def _keep(self, said: Count) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            line = _line(said)
            half = len(line) // 2
            os.pwrite(handle, line[:half], said.count % 2 * BLOCK)
            crash.point("instance.torn")
            os.pwrite(handle, line[half:], said.count % 2 * BLOCK + half)
            crash.point("instance.written")
            os.fsync(handle)
        finally:
            os.close(handle)
        crash.point("instance.kept")


def _line(said: Count) -> bytes:
    line = msgspec.json.encode(_Line(said=said, digest=content_digest(said)))
    return line.ljust(BLOCK - 1) + b"\n"


def _read(path: Path) -> Count | None:
    """The newest whole line; None when there is none, which is a device that never asked, or a damaged file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    found = []
    for start in (0, BLOCK):
        with contextlib.suppress(*UNREADABLE):
            line = msgspec.json.decode(data[start : start + BLOCK], type=_Line)
            if line.digest == content_digest(line.said):
                found.append(line.said)
    return max(found, key=lambda said: said.count, default=None)
