"""Keeps what the control plane says of results, which versions of their schema it takes, where runtimes find it."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from lineside.agent.durable import keep
from lineside.agent.ports import ControlPlane

_log = logging.getLogger(__name__)


class ResultsTaken:
    """For the link's thread."""

    def __init__(self, file: Path, control: ControlPlane) -> None:
        self._file, self._control = file, control
        self._kept: tuple[int, ...] = ()

    def look(self) -> None:
        """The control plane has just answered. What fails now is tried again after the next poll."""
        taken = self._control.results_taken()
        if taken == self._kept:
            return
        try:
            keep(self._file, msgspec.json.encode(taken))
            self._kept = taken
        except OSError as error:  # it must not keep the desired document away
            _log.warning("%s: %s", self._file, error)
