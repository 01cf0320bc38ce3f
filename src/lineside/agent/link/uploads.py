"""Captures on their way home: `<id>.json` and `<id>.bin` in the captures folder, sent by ticket, then deleted.

The record is renamed into the folder last and its image deleted first, so that whenever the power goes the next round
either sends the capture again (the control plane knows its id) or finishes deleting it. Who writes the folder may take
either back at any time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from lineside.agent.health.conditions import Conditions
from lineside.agent.link.error import LinkError
from lineside.agent.link.upload_budget import NoBudget, UploadBudget
from lineside.agent.link.upload_sending import Sending, Waits
from lineside.agent.ports import ControlPlane
from lineside.agent.supervision.processes import StopSignal
from lineside.contract.capture import CaptureHead, CaptureRecord, Ticket
from lineside.contract.captured import about, boxed
from lineside.contract.errors import Kind, LinesideError, RemoteError
from lineside.contract.ids import digest_of
from lineside.contract.reading import UNREADABLE
from lineside.contract.schema_versions import CAPTURES, SILENT, Schema
from lineside.contract.sealing import Sealed

LOOK_SECONDS = 1.0
MAX_WAIT = 60.0
STRAY_SECONDS = 3600.0
"""Age after which an image without a record is one whose writer died."""

_OTHERS_MAY_GO = ("auth.not_yours", "capture.version_unread")
"""Refusals of a record, which another name of this device, or another release, may take."""
_NOT_SAID = "the control plane has not said yet in which versions it takes them"
_TRY_LATER = (Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.TOO_MANY)

_log = logging.getLogger(__name__)


def _not_sealed(sealed: Sealed, capture: str) -> bytes:
    raise ValueError("there is no key to open it with")


class Captures:
    """The captures of one device. `opened` opens the box of a sealed image (see `contract.captured`). What is in a
    version of the schema that the control plane does not take waits: that is one of `conditions`."""

    def __init__(
        self,
        folder: Path,
        control: ControlPlane,
        stop: StopSignal,
        budget: UploadBudget | None = None,
        opened: Callable[[Sealed, str], bytes] = _not_sealed,
        *,
        conditions: Conditions | None = None,
        schema: Schema[CaptureRecord] = CAPTURES,
    ) -> None:
        self._folder, self._control, self._stop, self._opened = folder, control, stop, opened
        self._conditions, self._schema = conditions or Conditions(), schema
        self._budget = budget or NoBudget()
        self.settled = 0
        """How many were sent, or found never to be sendable, so far."""
        self._sending = Sending(control, self._budget)
        self._said = ""
        self._shut: dict[str, float] = {}  # by key: until when no box is opened with it
        self._unread: list[LinesideError] = []  # of the last look, for want of a version in common

    def send(self) -> int:
        """Send what is in the folder and may go now, oldest first; how many were settled. One that has to wait holds up
        no other. Raises `LinkError`, `RemoteError`: try later."""
        before, taken = self.settled, self._control.captures_taken()
        why = _NOT_SAID if taken is None else self._budget.why_not(0)
        if not why:
            why = self._send_all(taken or SILENT)
        if why and why != self._said:
            _log.info("captures wait: %s", why)
        self._said = why
        _remove_strays(self._folder)
        return self.settled - before

    def _send_all(self, taken: tuple[int, ...]) -> str:
        """Why one of them waits, if one does."""
        why = ""
        self._unread.clear()
        for record in sorted(self._folder.glob("*.json"), key=_age):
            if self._stop.is_set():
                return why
            try:
                self.settled += self._settle(record, taken)
            except Waits as waits:
                why = str(waits)
        if self._unread:
            self._conditions.put(self._unread[0])
        else:
            self._conditions.clear(self._schema.none_in_common)
        return why

    def _settle(self, path: Path, taken: tuple[int, ...]) -> bool:
        """Send one capture and delete it; one that can never be sent is deleted too, and logged. Whether it was."""
        image = path.with_suffix(".bin")
        try:
            kept = _read(path)
            self._send(msgspec.json.decode(kept, type=CaptureHead), self._spoken(kept, taken), image)
        except RemoteError as error:
            if error.kind in _TRY_LATER:
                raise
            _log.warning("capture %s is not wanted: %s", path.stem, error.message)
        except FileNotFoundError as error:
            if not path.exists():
                return False  # taken back
            _log.warning("capture %s cannot be read: %s", path.stem, error)
        except (ValueError, *UNREADABLE) as error:
            _log.warning("capture %s cannot be read: %s", path.stem, error)
        image.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return True

    def _spoken(self, kept: bytes, taken: tuple[int, ...]) -> bytes:
        """A record as the control plane takes it. Raises `Waits` while there is no version in common."""
        try:
            return self._schema.spoken(kept, taken)
        except LinesideError as error:
            self._unread.append(error)
            raise Waits(error.message) from error

    def _announced(self, record: CaptureHead, said: bytes) -> Ticket:
        """Raises `Waits` where the control plane refuses a version, and not the image: it went back a release, or on,
        since it last said what it takes. One from before versions were agreed on knows no other word for it than
        `request.invalid`. The same for what was kept under a name that the device had before."""
        try:
            return self._control.ticket(said)
        except RemoteError as error:
            before = error.code == "request.invalid" and (self._schema.version_of(said) or 1) not in SILENT
            if error.code not in _OTHERS_MAY_GO and not before:
                raise
            raise self._sending.later(record, error.message) from error

    def _unsealed(self, box: Sealed, record: CaptureHead) -> bytes:
        """Raises `Waits` while its key cannot be used: others may go. One look a minute tells enough of a key."""
        if time.monotonic() < self._shut.get(box.key, 0.0):
            raise self._sending.later(record, "its key cannot be used now")
        try:
            return self._opened(box, about(record.id))
        except LinesideError as error:
            self._shut[box.key] = time.monotonic() + MAX_WAIT
            raise self._sending.later(record, error.message) from error

    def _send(self, record: CaptureHead, said: bytes, image: Path) -> None:
        self._sending.wait_for(record)
        ticket = self._announced(record, said)
        if ticket.uploaded:
            return
        try:
            data = _read(image)
        except Waits as waits:
            raise self._sending.later(record, str(waits)) from waits
        box = boxed(data)
        data = data if box is None else self._unsealed(box, record)
        if digest_of(data) != record.digest:
            raise ValueError("its image is not the one that was kept")
        self._sending.send(record, ticket, data)


def _read(path: Path) -> bytes:
    """Raises FileNotFoundError, and `Waits` where the disk does not give it (a bad sector, say): others may go."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Waits(f"{path.name} cannot be read now: {error}") from error


def _age(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except FileNotFoundError:  # taken back
        return 0.0, path.name


def _remove_strays(folder: Path) -> None:
    for image in folder.glob("*.bin"):
        try:
            old = time.time() - image.stat().st_mtime > STRAY_SECONDS
        except FileNotFoundError:
            continue
        if old and not image.with_suffix(".json").exists():
            image.unlink(missing_ok=True)


class Uploader:
    """Looks into the captures folder in a thread of its own, so that a long deployment does not hold captures up.

    It waits longer from failure to failure, up to a minute, unless captures have gone since the last one: a link that
    breaks all the time still carries what it can. `also` is what else is to be sent, after the captures.
    """

    def __init__(self, captures: Captures, stop: StopSignal, also: Callable[[], object] | None = None) -> None:
        self._captures = captures
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
        wait, settled = LOOK_SECONDS, 0
        while not self._stop.wait(wait):
            try:
                self._captures.send()
                if self._also is not None:
                    self._also()
                wait = LOOK_SECONDS
            except (LinesideError, OSError) as error:
                wait = min(MAX_WAIT, wait * 2) if self._captures.settled == settled else LOOK_SECONDS
                settled = self._captures.settled
                if isinstance(error, LinkError) and error.retry_after is not None:
                    wait = error.retry_after
                _log.info("captures wait: %s", error)
