"""Captures on their way home: `<id>.json` and `<id>.bin` in the captures folder, sent by ticket, then deleted.

The record is renamed into the folder last and its image deleted first, so that whenever the power goes the next round
either sends the capture again (the control plane knows its id) or finishes deleting it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from lineside.agent.link.error import LinkError
from lineside.agent.ports import ControlPlane
from lineside.agent.supervision.processes import StopSignal
from lineside.contract.capture import CaptureRecord
from lineside.contract.errors import Kind, LinesideError, RemoteError
from lineside.contract.reading import UNREADABLE

LOOK_SECONDS = 1.0
MAX_WAIT = 60.0
STRAY_SECONDS = 3600.0
"""Age after which an image without a record is one whose writer died."""

_TRY_LATER = (Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.TOO_MANY)

_log = logging.getLogger(__name__)


def send_captures(folder: Path, control: ControlPlane, stop: StopSignal) -> int:
    """Send what is in the folder, oldest first; how many were settled. Raises `LinkError`, `RemoteError`: try later."""
    settled = 0
    for record in sorted(folder.glob("*.json"), key=_age):
        if stop.is_set():
            break
        _settle(record, control)
        settled += 1
    _remove_strays(folder)
    return settled


def _settle(path: Path, control: ControlPlane) -> None:
    """Send one capture and delete it; one that can never be sent is deleted too, and logged."""
    image = path.with_suffix(".bin")
    try:
        _send(path, image, control)
    except RemoteError as error:
        if error.kind in _TRY_LATER:
            raise
        _log.warning("capture %s is not wanted: %s", path.stem, error.message)
    except (FileNotFoundError, *UNREADABLE) as error:
        _log.warning("capture %s cannot be read: %s", path.stem, error)
    image.unlink(missing_ok=True)
    path.unlink()


def _send(path: Path, image: Path, control: ControlPlane) -> None:
    record = msgspec.json.decode(path.read_bytes(), type=CaptureRecord)
    ticket = control.ticket(record)
    if not ticket.uploaded:
        control.upload(ticket, image.read_bytes())


def _age(path: Path) -> tuple[float, str]:
    return path.stat().st_mtime, path.name


def _remove_strays(folder: Path) -> None:
    for image in folder.glob("*.bin"):
        old = time.time() - image.stat().st_mtime > STRAY_SECONDS
        if old and not image.with_suffix(".json").exists():
            image.unlink()


class Uploader:
    """Looks into the captures folder in a thread of its own, so that a long deployment does not hold captures up.

    `also` is what else is to be sent, after the captures.
    """

    def __init__(
        self, folder: Path, control: ControlPlane, stop: StopSignal, also: Callable[[], object] | None = None
    ) -> None:
        self._folder = folder
        self._control = control
        self._stop = stop
        self._also = also
        self._thread = threading.Thread(target=self._work, name="uploads", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait until it has noticed the stop signal."""
        self._thread.join(timeout=10.0)

    def _work(self) -> None:
        wait = LOOK_SECONDS
        while not self._stop.wait(wait):
            try:
                send_captures(self._folder, self._control, self._stop)
                if self._also is not None:
                    self._also()
                wait = LOOK_SECONDS
            except (LinesideError, OSError) as error:
                wait = min(MAX_WAIT, wait * 2)
                if isinstance(error, LinkError) and error.retry_after is not None:
                    wait = error.retry_after
                _log.info("captures wait: %s", error)
