"""Captures: which images a device keeps, and why.

Strategies are asked in order; the first that wants the image and has budget left keeps it. `random` comes first and
has its own budget: the sample stays unbiased whatever else is kept. It depends on the image's content alone, so that
the same image gives the same answer everywhere.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of
from lineside.contract.result import Detection, Result
from lineside.runtime.decode import SNIFF_BYTES, format_of
from lineside.runtime.files import write_atomic

MAX_FILES = 1000
MAX_BYTES = 512 * 1024 * 1024
_REMEMBERED = 1000  # contents that are not kept twice
_RANDOM_SHARE = 0.25  # of the hourly budget


class CaptureSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`uncertain`: keep images with a detection whose confidence lies in this band; `random`: share of all images to
    keep; `per_hour`: how many at most, a quarter of them reserved for the random sample."""

    uncertain: tuple[float, float] | None = (0.2, 0.5)
    random: float = 0.05
    per_hour: float = 200.0


@dataclass(slots=True)
class Budget:
    """A token bucket: at most `per_hour` an hour, all of them at once when nothing was kept for an hour."""

    per_hour: float
    monotonic: Callable[[], float]
    _left: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._at = self.per_hour, self.monotonic()

    def take(self) -> bool:
        moment = self.monotonic()
        self._left = min(self.per_hour, self._left + (moment - self._at) * self.per_hour / 3600.0)
        self._at = moment
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


@dataclass(frozen=True, slots=True)
class Wanted:
    """A decision to keep an image."""

    strategy: str
    reason: str
    digest: str


class Chooser:
    """Decides, without touching the disk. `detections` must reach down to `lowest_score`."""

    def __init__(self, settings: CaptureSettings, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._recent: OrderedDict[str, None] = OrderedDict()
        per_hour = settings.per_hour
        self._strategies = (
            ("random", self._random, Budget(per_hour * _RANDOM_SHARE, monotonic)),
            ("uncertain", self._uncertain, Budget(per_hour * (1 - _RANDOM_SHARE), monotonic)),
        )

    @property
    def lowest_score(self) -> float:
        """The lowest confidence that the choice depends on; 1 when on none."""
        return self._settings.uncertain[0] if self._settings.uncertain else 1.0

    def choose(self, data: bytes, detections: list[Detection]) -> Wanted | None:
        """Whether to keep this image, under which strategy and why."""
        digest = digest_of(data)
        if digest in self._recent:
            return None
        for strategy, judge, budget in self._strategies:
            reason = judge(digest, detections)
            if reason and budget.take():
                self._remember(digest)
                return Wanted(strategy, reason, digest)
        return None

    def _random(self, digest: str, detections: list[Detection]) -> str:
        draw = int(digest.removeprefix("sha256:")[:16], 16) / 2**64
        share = self._settings.random
        return f"In the random sample of {share:.1%} of all images." if draw < share else ""

    def _uncertain(self, digest: str, detections: list[Detection]) -> str:
        if self._settings.uncertain is None:
            return ""
        low, high = self._settings.uncertain
        for found in detections:
            if low <= found.confidence <= high:
                return f"{found.label} with confidence {found.confidence:.2f}, between {low:.2f} and {high:.2f}."
        return ""

    def _remember(self, digest: str) -> None:
        self._recent[digest] = None
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)


class CaptureFolder:
    """Where kept images wait for the agent: `<id>.bin`, then `<id>.json` (a CaptureRecord), each written atomically.
    A full folder takes no more: what waits longest was chosen as well as what comes now."""

    def __init__(self, folder: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> None:
        self._folder, self._max_files, self._max_bytes = folder, max_files, max_bytes
        self.refused = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._clean()

    def keep(self, data: bytes, wanted: Wanted, result: Result) -> CaptureRecord | None:
        """Writes the image and its record; None when the folder is full."""
        if not self._has_room(len(data)):
            self.refused += 1
            return None
        record = CaptureRecord(
            id=uuid.uuid4().hex,
            device=result.device,
            digest=wanted.digest,
            size=len(data),
            content_type=f"image/{format_of(data[:SNIFF_BYTES]) or 'unknown'}",
            strategy=wanted.strategy,
            reason=wanted.reason,
            captured_at=result.captured_at,
            result=result,
        )
        write_atomic(self._folder / f"{record.id}.bin", data)
        write_atomic(self._folder / f"{record.id}.json", msgspec.json.encode(record))
        return record

    def _has_room(self, size: int) -> bool:
        files = total = 0
        for path in self._folder.glob("*.bin"):
            try:
                total += path.stat().st_size
            except OSError:  # the agent has just uploaded it
                continue
            files += 1
        return files < self._max_files and total + size <= self._max_bytes

    def _clean(self) -> None:
        """Removes what a power cut left without a record."""
        for path in (*self._folder.glob(".*.tmp"), *self._folder.glob("*.bin")):
            if path.suffix == ".tmp" or not path.with_suffix(".json").exists():
                path.unlink(missing_ok=True)
