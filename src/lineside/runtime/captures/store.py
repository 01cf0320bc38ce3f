"""The store: where kept images wait for the agent, `<id>.bin` and then `<id>.json`, each written atomically.

It is bounded. When it is full, it thins what waits (`thinning`), and refuses only when that makes no room.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from lineside.contract.capture import CaptureRecord
from lineside.contract.ids import digest_of
from lineside.contract.reading import UNREADABLE
from lineside.contract.result import Result
from lineside.runtime.announce import announce
from lineside.runtime.captures.chooser import Wanted
from lineside.runtime.captures.sealing import Seal
from lineside.runtime.captures.settings import MEGABYTE, StoreSettings
from lineside.runtime.captures.thinning import Waiting, rule, to_drop
from lineside.runtime.decode import SNIFF_BYTES, format_of
from lineside.runtime.files import write_atomic

STRAY_SECONDS = 3600.0
"""Age after which half of a capture is one whose writer died; other components write here, too."""

_COUNT_EVERY = 30.0  # seconds


class CaptureFolder:
    """Not for several threads at once."""

    def __init__(
        self,
        folder: Path,
        settings: StoreSettings = StoreSettings(),  # noqa: B008 immutable
        *,
        seal: Seal | None = None,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.thinned: dict[str, int] = {}
        self._files = self._bytes = 0
        self._counted = monotonic()
        self._folder, self._settings, self._seal = folder, settings, seal
        self._free, self._monotonic = free, monotonic
        folder.mkdir(parents=True, exist_ok=True)
        self._clean()
        self._count()

    @property
    def waiting(self) -> tuple[int, int]:
        """Images and bytes that wait, as of the last count."""
        return self._files, self._bytes

    @property
    def limit(self) -> int:
        """Bytes that it may hold now."""
        room = self._settings.share * (self._free(self._folder) + self._bytes)
        return int(min(self._settings.mb * MEGABYTE, room))

    @property
    def rule(self) -> str:
        """What happens when it is full."""
        return rule(self._settings.keep_every)

    def keep(self, data: bytes, wanted: Wanted, result: Result) -> CaptureRecord | None:
        """Writes the image and its record; None when there is no room. Raises OSError, and what sealing raises: then
        nothing of it is left."""
        record = CaptureRecord(
            id=wanted.id,
            device=result.device,
            digest=digest_of(data),
            size=len(data),
            content_type=f"image/{format_of(data[:SNIFF_BYTES]) or 'unknown'}",
            strategy=wanted.strategy,
            reason=wanted.reason,
            captured_at=result.captured_at,
            result=result,
            request=wanted.request or msgspec.UNSET,
            facts=wanted.facts or msgspec.UNSET,
            similar_to=wanted.similar_to or msgspec.UNSET,
        )
        stored = self._seal(record.id, data) if self._seal else data
        if not self._make_room(len(stored)):
            return None
        image = self._folder / f"{record.id}.bin"
        try:
            write_atomic(image, stored)
            write_atomic(self._folder / f"{record.id}.json", msgspec.json.encode(record))
        except BaseException:
            with suppress(OSError):
                image.unlink(missing_ok=True)
            raise
        self._files, self._bytes = self._files + 1, self._bytes + len(stored)
        return record

    def holds(self, capture: str) -> bool:
        """Whether a capture waits here, whole."""
        return (self._folder / f"{capture}.json").exists()

    def discard(self, capture: str) -> None:
        """Removes half of a capture."""
        (self._folder / f"{capture}.bin").unlink(missing_ok=True)

    def _make_room(self, size: int) -> bool:
        if self._monotonic() - self._counted > _COUNT_EVERY or not self._fits(size):
            self._count()
        if not self._fits(size):
            self._thin()
        return self._fits(size)

    def _fits(self, size: int) -> bool:
        return self._files < self._settings.files and self._bytes + size <= self.limit

    def _count(self) -> None:
        self._files = self._bytes = 0
        self._counted = self._monotonic()
        for path in self._folder.glob("*.bin"):
            with suppress(FileNotFoundError):  # the agent has just uploaded it
                self._bytes += path.stat().st_size
                self._files += 1

    def _thin(self) -> None:
        waiting = self._waiting()
        gone = to_drop(waiting, self._settings.keep_every)
        for one in gone:
            # The record goes first: an image without one is nobody's, a record without its image would be looked for.
            (self._folder / f"{one.id}.json").unlink(missing_ok=True)
            (self._folder / f"{one.id}.bin").unlink(missing_ok=True)
            self.thinned[one.strategy] = self.thinned.get(one.strategy, 0) + 1
        if gone:
            announce("captures.thinned", of=len(waiting), removed=len(gone), rule=self.rule)
            self._count()

    def _waiting(self) -> list[Waiting]:
        found = []
        for path in self._folder.glob("*.json"):
            with suppress(OSError, *UNREADABLE):  # the agent says what is wrong with one that cannot be read
                found.append(msgspec.json.decode(path.read_bytes(), type=Waiting))
        return found

    def _clean(self) -> None:
        """Removes what a power cut left: halves that nobody has touched for long."""
        for path in (*self._folder.glob(".*.tmp"), *self._folder.glob("*.bin")):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime < STRAY_SECONDS and not _of_the_dead(path):
                    continue
                if path.suffix == ".tmp" or not path.with_suffix(".json").exists():
                    path.unlink()


def _of_the_dead(path: Path) -> bool:
    """Whether the process that was writing an unfinished file is gone."""
    if path.suffix != ".tmp":
        return False
    pid = path.stem.rpartition(".")[2]
    return pid.isdigit() and (int(pid) == os.getpid() or not Path(f"/proc/{pid}").exists())
