"""Files of a run that are kept at the control plane, so that another worker can go on with them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lineside.contract.errors import Kind, LinesideError
from lineside.contract.worker import Kept
from lineside.pipeline import crash
from lineside.pipeline.control import LOST, Control, is_away
from lineside.pipeline.files import digest_of_file, put_in_place

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
        """Fetch what was kept and is not here: another worker began, or this one's disk was lost. What is not there
        any more is made anew."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for kept in self._control.kept_files(self._run):
            target = self._folder / kept.name
            if not target.exists() and not {"", ".."} & set(kept.name.split("/")):
                self._fetch(kept, target)

    def _fetch(self, kept: Kept, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        arrived = target.with_name(f"{target.name}.arrived")
        try:
            self._control.fetch_kept(self._run, kept.name, arrived)
        except LinesideError as error:
            if error.kind is not Kind.MISSING:
                raise
            _logger.warning("%s was kept, and is not there any more", kept.name)
            return
        if digest_of_file(arrived) == kept.digest:
            put_in_place(arrived, target)
            _logger.info("%s was kept by an attempt before", kept.name)
        else:
            arrived.unlink()

    def _sent(self, name: str) -> bool:
        try:
            file = self._folder / name
            self._control.keep_file(self._run, name, file, digest_of_file(file))
            crash.point(f"step.kept:{name}")
        except LinesideError as error:
            if error.code == LOST:
                raise
            _logger.warning("%s was not kept: %s", name, error.message)
            return not is_away(error)
        return True
