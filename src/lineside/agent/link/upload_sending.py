"""One image on its way: straight into the bucket where its ticket has a way there, else to the control plane, from
where it broke off."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from lineside.agent.link import direct
from lineside.agent.link.error import LinkError
from lineside.agent.link.upload_budget import UploadBudget
from lineside.agent.ports import ControlPlane
from lineside.contract.capture import CaptureHead, Ticket
from lineside.contract.errors import RemoteError

_ANEW = (
    "blob.digest_mismatch",
    "blob.stalled",
    "ticket.expired",
    "ticket.nothing_put",
    "ticket.superseded",
    "ticket.unknown",
    "ticket.used",
    "ticket.wrong_offset",
    "ticket.wrong_size",
)
"""Refusals of a ticket or of what came of an upload, not of the image: it is announced again."""

_PIECE = 1 << 16
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 600.0
_DIRECT_AGAIN = 600.0  # seconds without a bucket that could not be reached

_log = logging.getLogger(__name__)


class Waits(Exception):
    """This capture cannot go now; others may."""


class Sending:
    """Sends images within a budget. Used by one thread."""

    def __init__(self, control: ControlPlane, budget: UploadBudget) -> None:
        self._control, self._budget = control, budget
        self._again: dict[str, tuple[float, float]] = {}  # by capture: when, and how long it waited
        self._direct_at = 0.0

    def wait_for(self, record: CaptureHead) -> None:
        """Raises `Waits` while a capture that was refused has to wait, or its bytes must not be sent now."""
        if time.monotonic() < self._again.get(record.id, (0.0, 0.0))[0]:
            raise Waits(f"capture {record.id} is tried again later")
        why = self._budget.why_not(record.size)
        if why:
            raise Waits(why)

    def later(self, record: CaptureHead, why: str) -> Waits:
        """What did not go, through no fault of the image, is announced again after longer and longer."""
        waited = min(_LONGEST_WAIT, max(_FIRST_WAIT, 2 * self._again.get(record.id, (0.0, 0.0))[1]))
        self._again[record.id] = time.monotonic() + waited, waited
        return Waits(why)

    def send(self, record: CaptureHead, ticket: Ticket, data: bytes) -> None:
        """Send an image. Raises `LinkError`, `RemoteError`, `Waits`."""
        try:
            if not self._put(ticket, data):
                with self._budget.spending(Piecewise(data, ticket.received)) as content:
                    self._control.upload(ticket, content)
        except RemoteError as error:
            if error.code not in _ANEW:
                raise
            raise self.later(record, error.message) from error
        self._again.pop(record.id, None)

    def _put(self, ticket: Ticket, data: bytes) -> bool:
        """Whether an image went straight into the bucket, and counts."""
        if ticket.direct is None or time.monotonic() < self._direct_at:
            return False
        try:
            with self._budget.spending(Piecewise(data)) as content:
                direct.put(ticket.direct, content)
        except LinkError as error:
            _log.info("the bucket does not take captures, so they go to the control plane: %s", error)
            self._direct_at = time.monotonic() + _DIRECT_AGAIN
            return False
        self._control.put_done(ticket)
        return True


class Piecewise:
    """The bytes of an image from `start` on, in pieces; `sent` is how many were taken to be sent."""

    def __init__(self, data: bytes, start: int = 0) -> None:
        self._data, self._start = data, start
        self.sent = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._data) - self._start

    def __iter__(self) -> Iterator[bytes]:
        for at in range(self._start, len(self._data), _PIECE):
            piece = self._data[at : at + _PIECE]
            self.sent += len(piece)
            yield piece
