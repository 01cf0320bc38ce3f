"""Files that components export through the stream manager, sent by ticket like captures.

The stream manager keeps each with its claim in a folder of its own (`lineside.agent.streams.claims`) and is told there
how it went. That folder may belong to another user: nothing in it is followed, and nothing it says is a path.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lineside.agent.ports import ControlPlane
from lineside.agent.supervision.processes import StopSignal
from lineside.contract.errors import Kind, RemoteError
from lineside.contract.export import ExportRecord

if TYPE_CHECKING:
    from lineside.agent.streams.claims import Claim

_TRY_LATER = (Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.TOO_MANY, Kind.CORRUPT, Kind.INTERNAL, Kind.UNAVAILABLE)
_CHUNK = 1 << 18

_log = logging.getLogger(__name__)


class Exports:
    """The exports of one device."""

    def __init__(self, folder: Path, device: str, control: ControlPlane, stop: StopSignal) -> None:
        self._folder = folder
        self._device = device
        self._control = control
        self._stop = stop

    def send(self) -> int:
        """Send what waits, oldest first; how many were settled. Raises `LinkError`, `RemoteError`: try later."""
        if not self._folder.is_dir():
            return 0
        from lineside.agent.streams import claims  # most devices have no stream manager

        settled = 0
        for path in claims.waiting(self._folder):
            if self._stop.is_set():
                break
            try:
                claim = claims.read(path)
            except (msgspec.MsgspecError, ValueError, OSError) as error:
                _log.warning("the export %s cannot be read: %s", path.stem, error)
                claims.drop(self._folder, [path.stem])
                continue
            settled += 1
            if path.with_suffix(".done").exists():  # the agent stopped before it had let go
                claims.drop(self._folder, [path.stem])
                continue
            message, size = self._settle(claim)
            outcome = claims.Outcome(claim=claim, succeeded=not message, message=message, bytes=size, at=time.time())
            claims.finish(self._folder, outcome)
        return settled

    def _settle(self, claim: Claim) -> tuple[str, int]:
        """Why a file can never be sent, or nothing, and its size. Raises when it may be sent later."""
        if claim.problem:
            return claim.problem, 0
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            handle = os.open(self._folder / f"{claim.id}.bin", flags)
        except OSError as error:
            return f"its file cannot be read: {error.strerror}", 0
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return "its file is no file", 0
            return self._send(claim, handle)
        except RemoteError as error:
            if error.kind in _TRY_LATER:
                raise
            _log.warning("the export %s is not wanted: %s", claim.id, error.message)
            return error.message, 0
        finally:
            os.close(handle)

    def _send(self, claim: Claim, handle: int) -> tuple[str, int]:
        digest, size = _digest(handle)
        moment = datetime.fromtimestamp(claim.claimed_at, UTC)
        record = ExportRecord(
            id=f"{claim.id}-{digest[7:15]}",
            device=self._device,
            bucket=claim.task.bucket,
            key=claim.key,
            metadata=claim.task.user_metadata or {},
            stream=claim.stream,
            sequence=claim.sequence,
            digest=digest,
            size=size,
            claimed_at=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
        ticket = self._control.export_ticket(record)
        if ticket.uploaded:
            return "", size
        self._control.upload(ticket, _Content(handle, size))
        return "", size


class _Content:
    """An open file's first `size` bytes; nothing is mapped, because the file's owner may cut it short."""

    def __init__(self, handle: int, size: int) -> None:
        self._handle = handle
        self.size = size

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        while at < self.size:
            piece = os.pread(self._handle, min(_CHUNK, self.size - at), at)
            if not piece:
                raise OSError("the file was cut short while it was sent")
            at += len(piece)
            yield piece


def _digest(handle: int) -> tuple[str, int]:
    """The digest and the size of an open file."""
    found, size = hashlib.sha256(), 0
    while piece := os.pread(handle, _CHUNK, size):
        found.update(piece)
        size += len(piece)
    return f"sha256:{found.hexdigest()}", size
