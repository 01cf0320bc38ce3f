"""Files of a run that are kept at the control plane, so that another worker can go on with them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lineside.contract.errors import LinesideError
from lineside.contract.worker import Kept
from lineside.pipeline import crash
from lineside.pipeline.control import Control, is_away
from lineside.pipeline.files import digest_of_file

EVERY = 30.0
"""Seconds between two times that files are sent: what a takeover may have to do again."""

_logger = logging.getLogger(__name__)


class Keeper:
    """The files of one run."""

    def __init__(
        self,
        control: Control,
        run: str,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        every: float = EVERY,
    ) -> None:
        self._control, self._run, self._folder = control, run, folder
        self._clock, self._every = clock, every
        self._last = clock()

    def keep(self, names: Sequence[str]) -> None:
        """Send files of the run's folder in this order, when it is time; those that are not there are left out.

        While nobody answers the step goes on without. Raises `run.lease_lost`.
        """
        if self._clock() - self._last < self._every:
            return
        self._last = self._clock()
        for name in names:
            if (self._folder / name).exists() and not self._sent(name):
                return

    def restore(self) -> None:
        """Fetch what was kept and is not here: another worker began, or this one's disk was lost."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for kept in self._control.kept_files(self._run):
            target = self._folder / kept.name
            if not target.exists() and not {"", ".."} & set(kept.name.split("/")):
                target.parent.mkdir(parents=True, exist_ok=True)
                arrived = self._control.fetch_blob(kept.digest, target.with_name(f"{target.name}.arrived"))
                if digest_of_file(arrived) == kept.digest:
                    arrived.replace(target)
                    _logger.info("%s was kept by an attempt before", kept.name)

    def _sent(self, name: str) -> bool:
        try:
            digest = digest_of_file(self._folder / name)
            if self._control.blobs_missing([digest]):
                self._control.put_blob_file(self._folder / name, digest)
            crash.point(f"step.kept:{name}")
            self._control.keep_file(self._run, Kept(name=name, digest=digest))
        except LinesideError as error:
            if error.code == "run.lease_lost":
                raise
            _logger.warning("%s was not kept: %s", name, error.message)
            return not is_away(error)
        return True
