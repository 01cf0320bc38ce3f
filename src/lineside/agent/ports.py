"""What the agent needs from outside, each a Protocol; fakes of them are in `lineside.agent.testing`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from lineside.contract.capture import Ticket
from lineside.contract.collection import CaptureProgress, CaptureRequest
from lineside.contract.desired import Desired
from lineside.contract.export import ExportRecord
from lineside.contract.inquiry import Inquiry, InquiryPart
from lineside.contract.reported import Report
from lineside.contract.secret import GivenSecrets


def _nothing() -> None:
    return


class Download(msgspec.Struct, frozen=True):
    """An artifact on its way: `offset` is where `chunks` begin, `remaining` how many bytes they hold.

    `abort` makes a read that waits for the next chunk return; what comes after it is not to be believed.
    """

    offset: int
    remaining: int
    chunks: Iterator[bytes]
    abort: Callable[[], None] = _nothing


class Content(Protocol):
    """Bytes to send that are not all in memory: `size` of them, in pieces, from the beginning as often as needed."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def __iter__(self) -> Iterator[bytes]: ...


class ArtifactSource(Protocol):
    """Where artifacts come from."""

    def artifact(self, digest: str, offset: int) -> AbstractContextManager[Download]:
        """The bytes of an artifact from `offset` on, or from 0 when the source cannot resume."""
        ...


class MetadataSource(Protocol):
    """Where signed metadata comes from."""

    def metadata(self, url: str) -> Iterator[bytes]:
        """A TUF metadata file (`tuf/NAME`) or target (`targets/PATH`) in pieces."""
        ...


@runtime_checkable
class Carried(Protocol):
    """A source that may have been carried here by hand, so that its freshness says nothing (`contract.bundle`)."""

    def judged_at(self) -> datetime | None:
        """When its timestamp and snapshot were fresh; None: now, as ever."""
        ...


class Supplies(ArtifactSource, MetadataSource, Protocol):
    """Everything that the executor fetches."""


class ControlPlane(Supplies, Protocol):
    """The control plane's devices' API, as one device sees it. Every method may raise `LinkError`."""

    def desired(self, etag: str | None) -> tuple[Desired, str] | None:
        """The desired document and its ETag, or None when `etag` is still the newest."""
        ...

    def report(self, reports: tuple[Report, ...]) -> int:
        """Hand over reports; everything up to the returned sequence number is stored."""
        ...

    def secrets(self, etag: str) -> tuple[GivenSecrets, str] | None:
        """The secrets that this device's components name, with their ETag; None when `etag` is still the newest."""
        ...

    def captures_taken(self) -> tuple[int, ...] | None:
        """The versions of the capture schema that it took when `desired` was answered last; None before it ever was."""
        ...

    def ticket(self, record: bytes) -> Ticket:
        """Leave to upload one capture, by its record's JSON."""
        ...

    def export_ticket(self, record: ExportRecord) -> Ticket:
        """Leave to upload one file that a component exports."""
        ...

    def upload(self, ticket: Ticket, data: bytes | Content) -> None:
        """Send a capture's or an export's bytes; of what a ticket has `received`, only the rest."""
        ...

    def put_done(self, ticket: Ticket) -> None:
        """A capture was put where its ticket's `direct` says."""
        ...

    def collecting(self) -> int:
        """Another number when what is to be captured has changed; 0: nothing was asked, ever."""
        ...

    def capture_requests(self) -> list[CaptureRequest]:
        """What people ask this device to capture now."""
        ...

    def tell_kept(self, request: str, progress: CaptureProgress) -> None:
        """What was kept for one of them so far."""
        ...

    def results_taken(self) -> tuple[int, ...]:
        """The versions of the result schema that it took when `desired` was answered last."""
        ...

    def asked(self) -> bool:
        """Whether people were asking this device something when `desired` was answered last."""
        ...

    def inquiries(self) -> list[Inquiry]:
        """What they ask now."""
        ...

    def answer(self, inquiry: str, part: InquiryPart) -> Inquiry:
        """Hand over a part of an answer; what is wanted further. `RemoteError`: nothing."""
        ...
