"""Captures of one runtime, put together: what chooses, what keeps, what is told of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lineside.contract.capture import CaptureRecord
from lineside.contract.result import Result
from lineside.runtime.announce import announce
from lineside.runtime.captures.chooser import Chooser, Wanted
from lineside.runtime.captures.counts import CaptureStatus, Tally
from lineside.runtime.captures.keeper import Keeper
from lineside.runtime.captures.memory import Memory
from lineside.runtime.captures.passed import Passed
from lineside.runtime.captures.requests import Requests
from lineside.runtime.captures.sealing import sealing_of
from lineside.runtime.captures.settings import MEGABYTE, CaptureSettings
from lineside.runtime.captures.store import CaptureFolder
from lineside.runtime.decode import Picture
from lineside.runtime.files import write_atomic

if TYPE_CHECKING:
    from lineside.runtime.captures.blurring import Blur
    from lineside.runtime.captures.settings import BlurSettings

TAKES_REQUESTS = "takes-capture-requests"
"""An empty file in the work folder: the agent gives requests to components that have one."""
KEPT_FILE = "capture-requests-kept.json"
"""How far each request is, for the agent: `{ID: {"kept": n, "refused": {why: n}}}`."""


class Captures:
    """`chooser` decides, `keep` and `disagreed` store; from any thread."""

    def __init__(
        self,
        settings: CaptureSettings,
        work: Path,
        folder: Path,
        environment: Mapping[str, str],
        *,
        drifting: Callable[[str], str] = lambda source: "",
        shadow_per_hour: float = 0.0,
    ) -> None:
        """Raises OSError, `capture.no_key`, `capture.no_hook`."""
        seal = sealing_of(environment) if settings.sealed else None
        blur = _blur(settings.blur) if settings.blur else None
        self._memory = Memory(work)
        self._tally, passed = Tally(), Passed(self._memory.mark)
        component = environment.get("LINESIDE_COMPONENT", "")
        self._requests = Requests(work, component, self._memory, passed=passed)
        self._folder = CaptureFolder(folder, settings.store, seal=seal)
        self._settle()
        self.chooser = Chooser(
            settings,
            self._memory,
            self._requests,
            tally=self._tally,
            passed=passed,
            drifting=drifting,
            shadow_per_hour=shadow_per_hour,
        )
        self._keeper = Keeper(self.chooser, self._folder, blur)
        self._work, self._told = work, b""
        with suppress(OSError):
            (work / TAKES_REQUESTS).touch()

    def keep(self, data: bytes, wanted: Wanted, result: Result) -> CaptureRecord | None:
        """See `Keeper.keep`."""
        return self._keeper.keep(data, wanted, result)

    def disagreed(self, data: bytes | Picture, reason: str, result: Result) -> bool:
        """See `Keeper.disagreed`."""
        return self._keeper.disagreed(data, reason, result)

    def status(self) -> CaptureStatus:
        """How it is now; the agent is told how far its requests are."""
        waiting, size = self._folder.waiting
        status = CaptureStatus(
            requests=self._requests.status(),
            interrupted=len(self._memory.interrupted()),
            waiting=waiting,
            waiting_bytes=size,
            thinned=dict(self._folder.thinned),
            rule=self._folder.rule,
        )
        with suppress(OSError):
            status.limit_bytes = self._folder.limit // MEGABYTE * MEGABYTE  # so that it rarely changes
        self._tally.into(status)
        self._tell()
        return status

    def close(self) -> None:
        """Nothing is kept any more."""
        self._memory.close()

    def _tell(self) -> None:
        kept: dict[str, dict[str, Any]] = {
            name: {"kept": one.kept, "refused": self._requests.refused(name)}
            for name, one in self._requests.status().items()
        }
        told = msgspec.json.encode(kept)
        if told == self._told or not (kept or self._told):
            return
        with suppress(OSError):
            write_atomic(self._work / KEPT_FILE, told)
            self._told = told

    def _settle(self) -> None:
        """What an earlier process was writing when it died: it is in the store, or it is lost, unless the image comes
        again."""
        lost = 0
        for one in self._memory.interrupted():
            if self._folder.holds(one.id):
                self._memory.arrived(one)
            else:
                with suppress(OSError):
                    self._folder.discard(one.id)
                lost += 1
        if lost:
            announce("captures.interrupted", images=lost)


def _blur(settings: BlurSettings) -> Blur:
    from lineside.runtime.captures.blurring import blur_of  # what draws takes memory of every device that need not

    return blur_of(settings)
