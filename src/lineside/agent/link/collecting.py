"""What people ask this device to capture: fetched when the control plane says that it has changed, written into the
work folders of the components that take requests, and what became of it told.

A component that takes them has a file `takes-capture-requests`, reads `capture-requests.json` and writes
`capture-requests-kept.json`. Those folders are the components' own: nothing in them is followed or waited for.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lineside.agent.durable import write_atomically
from lineside.agent.ports import ControlPlane
from lineside.contract.collection import CaptureProgress, CaptureRequest
from lineside.contract.errors import LinesideError, RemoteError
from lineside.contract.reading import UNREADABLE

TAKES = "takes-capture-requests"
ASKED = "capture-requests.json"
KEPT = "capture-requests-kept.json"

_TELL_SECONDS = 10.0  # between two words on what was kept
_MOST = 1 << 20
_NOBODY = "No component of this device keeps images on request."

_log = logging.getLogger(__name__)


class _Kept(msgspec.Struct):
    kept: int = 0
    refused: dict[str, int] = {}


class Collecting:
    """The requests of one device. For the link's thread."""

    def __init__(self, work: Path, control: ControlPlane) -> None:
        self._work, self._control = work, control
        self._requests: tuple[CaptureRequest, ...] = ()
        self._seen: int | None = None
        self._written: dict[Path, bytes] = {}
        self._told: dict[str, CaptureProgress] = {}
        self._tell_at = 0.0

    def look(self) -> None:
        """The control plane has just answered. What fails now is tried again after the next poll."""
        try:
            number = self._control.collecting()
            if number == 0:
                return
            if number != self._seen:
                asked = tuple(self._control.capture_requests())
                self._tell(_gone(self._requests, asked))
                self._requests, self._seen = asked, number
            self._hand_out()
            if time.monotonic() >= self._tell_at:
                self._tell_at = time.monotonic() + _TELL_SECONDS
                self._tell(self._requests)
        except LinesideError as error:
            _log.warning("collections: %s", error.message)
        except OSError as error:
            _log.warning("collections: %s", error)

    def _takers(self) -> list[Path]:
        if not self._work.is_dir():
            return []
        return sorted(folder for folder in self._work.iterdir() if os.path.lexists(folder / TAKES))

    def _hand_out(self) -> None:
        takers = self._takers()
        shares: dict[Path, list[CaptureRequest]] = {folder: [] for folder in takers}
        kept = {folder: _kept(folder / KEPT) for folder in takers} if self._requests else {}
        for request in self._requests:
            meant = [folder for folder in takers if request.component in ("", folder.name)]
            have = [min(kept[folder].get(request.id, _Kept()).kept, request.count) for folder in meant]
            for folder, count in zip(meant, split(request.count, have), strict=True):
                shares[folder].append(msgspec.structs.replace(request, component=folder.name, count=count))
        for folder, rows in shares.items():
            data = msgspec.json.encode(rows)
            if self._written.get(folder) != data:
                write_atomically(folder / ASKED, data)
                self._written[folder] = data

    def _tell(self, requests: Sequence[CaptureRequest]) -> None:
        takers = self._takers() if requests else []
        kept = [_kept(folder / KEPT) for folder in takers]
        for request in requests:
            said = [one[request.id] for one in kept if request.id in one]
            refused = sum((Counter(one.refused) for one in said), Counter[str]())
            meant = any(request.component in ("", folder.name) for folder in takers)
            progress = CaptureProgress(
                kept=sum(one.kept for one in said), refused=dict(refused), why="" if meant else _NOBODY
            )
            if self._told.get(request.id) != progress:
                self._tell_one(request.id, progress)

    def _tell_one(self, request: str, progress: CaptureProgress) -> None:
        try:
            self._control.tell_kept(request, progress)
        except RemoteError as error:  # it has ended meanwhile
            _log.info("collection %s: %s", request, error.message)
        self._told[request] = progress


def split(count: int, kept: Sequence[int]) -> list[int]:
    """`count` images over as many components as evenly as can be, with no share below what a component has kept; so a
    count that became less asks nobody for more."""
    shares, left = [0] * len(kept), count
    for index, which in enumerate(sorted(range(len(kept)), key=lambda one: -kept[one])):
        shares[which] = max(kept[which], -(-left // (len(kept) - index)))
        left = max(0, left - shares[which])
    return shares


def _gone(before: Sequence[CaptureRequest], now: Sequence[CaptureRequest]) -> list[CaptureRequest]:
    """What is asked no more: the report of a collection that has just ended needs the last word on it."""
    left = {request.id for request in now}
    return [request for request in before if request.id not in left]


def _kept(file: Path) -> dict[str, _Kept]:
    """What a component says it kept, by request; nothing when there is no such file, or no plain one."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return {}
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return {}
        return msgspec.json.decode(os.read(handle, _MOST), type=dict[str, _Kept])
    except (OSError, *UNREADABLE):
        return {}
    finally:
        os.close(handle)
