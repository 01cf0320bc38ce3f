"""What became of images that were to be kept: a part of the status, which the probe reads without numpy."""

from __future__ import annotations

import threading

import msgspec

OVER_BUDGET = "budget"
SAME = "same image"
SIMILAR = "looks like another"
STORE_FULL = "store full"
DISK = "disk"
NOT_BLURRED = "not blurred"
NOT_SEALED = "not sealed"


class StrategyCounts(msgspec.Struct, kw_only=True):
    """Of one strategy in this process: `wanted` = `kept` + what was `refused`, by reason, + what is being written."""

    wanted: int = 0
    kept: int = 0
    refused: dict[str, int] = {}


class RequestStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a request is, over restarts."""

    asked: int
    kept: int  # those that are being written included
    state: str  # "open", "done", "over"
    why: str = ""


class CaptureStatus(msgspec.Struct, kw_only=True):
    """Captures of this component; `waiting` and `waiting_bytes` are of the whole store, which components share."""

    strategies: dict[str, StrategyCounts] = {}
    requests: dict[str, RequestStatus] = {}
    last_refusal: str = ""  # one sentence
    interrupted: int = 0  # being written when an earlier process died, and not in the store
    waiting: int = 0
    waiting_bytes: int = 0
    limit_bytes: int = 0
    thinned: dict[str, int] = {}  # by strategy
    rule: str = ""  # by which it thins


class Tally:
    """Counts from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._strategies: dict[str, StrategyCounts] = {}
        self._last_refusal = ""

    def wanted(self, strategy: str) -> None:
        """A strategy wants an image."""
        with self._lock:
            self._strategies.setdefault(strategy, StrategyCounts()).wanted += 1

    def kept(self, strategy: str) -> None:
        """It is in the store."""
        with self._lock:
            self._strategies.setdefault(strategy, StrategyCounts()).kept += 1

    def refused(self, strategy: str, reason: str, why: str) -> None:
        """It is not kept: one of the words above, and a sentence."""
        with self._lock:
            counts = self._strategies.setdefault(strategy, StrategyCounts()).refused
            counts[reason] = counts.get(reason, 0) + 1
            self._last_refusal = why

    def into(self, status: CaptureStatus) -> None:
        """Writes the counts into a status."""
        with self._lock:
            status.strategies = {
                name: StrategyCounts(wanted=one.wanted, kept=one.kept, refused=dict(one.refused))
                for name, one in self._strategies.items()
            }
            status.last_refusal = self._last_refusal
