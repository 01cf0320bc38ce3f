"""A device that has joined nothing: it runs what is deployed on it, and answers to nobody.

Its root has a folder `local`, which the first local deployment makes; without that, and without having joined, there is
nothing that an agent could do.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NoReturn

from lineside.agent.link import join_state
from lineside.agent.link.error import LinkError
from lineside.agent.link.join_state import JoinState
from lineside.agent.paths import Paths
from lineside.agent.ports import Content, Download
from lineside.contract.capture import Ticket
from lineside.contract.collection import CaptureProgress, CaptureRequest
from lineside.contract.desired import Desired
from lineside.contract.errors import LinesideError
from lineside.contract.export import ExportRecord
from lineside.contract.ids import NAME
from lineside.contract.inquiry import Inquiry, InquiryPart
from lineside.contract.reported import Report
from lineside.contract.schema_versions import SILENT
from lineside.contract.secret import GivenSecrets

_ETAG = "alone"
_HOUR = 3600.0


def identity(paths: Paths) -> JoinState:
    """Who the device of a root is: as it joined, or by its host's name if it is alone. Raises `agent.not_joined`."""
    if paths.join.exists() or not (paths.root / "local").is_dir():
        return join_state.load(paths)
    return JoinState(device=_own_name(), url="", twin=False, ca_sha256="", joined_at="")


def is_alone(joined: JoinState) -> bool:
    """Whether there is no control plane."""
    return joined.url == ""


def _own_name() -> str:
    name = socket.gethostname()
    return name if NAME.fullmatch(name) else "device"


class Alone:
    """The `ControlPlane` of a device that has none: it wants nothing, takes every report, and has nothing to give."""

    def __init__(self, device: str) -> None:
        self._device = device

    def desired(self, etag: str | None) -> tuple[Desired, str] | None:
        """See `ControlPlane.desired`."""
        return None if etag == _ETAG else (Desired(device=self._device, revision=0, poll_seconds=_HOUR), _ETAG)

    def report(self, reports: tuple[Report, ...]) -> int:
        """See `ControlPlane.report`."""
        return max(report.sequence for report in reports)

    def metadata(self, url: str) -> Iterator[bytes]:
        """See `ControlPlane.metadata`."""
        self._nobody(url)

    def artifact(self, digest: str, offset: int) -> AbstractContextManager[Download]:
        """See `ArtifactSource.artifact`."""
        self._nobody(digest)

    def secrets(self, etag: str) -> tuple[GivenSecrets, str] | None:
        """See `ControlPlane.secrets`."""
        return None

    def captures_taken(self) -> tuple[int, ...] | None:
        """See `ControlPlane.captures_taken`."""
        return None

    def ticket(self, record: bytes) -> Ticket:
        """See `ControlPlane.ticket`."""
        raise LinkError("local.no_control_plane", what="captures")

    def export_ticket(self, record: ExportRecord) -> Ticket:
        """See `ControlPlane.export_ticket`."""
        raise LinkError("local.no_control_plane", what=record.id)

    def upload(self, ticket: Ticket, data: bytes | Content) -> None:
        """See `ControlPlane.upload`."""
        self._nobody(ticket.id)

    def put_done(self, ticket: Ticket) -> None:
        """See `ControlPlane.put_done`."""
        self._nobody(ticket.id)

    def collecting(self) -> int:
        """See `ControlPlane.collecting`."""
        return 0

    def capture_requests(self) -> list[CaptureRequest]:
        """See `ControlPlane.capture_requests`."""
        return []

    def tell_kept(self, request: str, progress: CaptureProgress) -> None:
        """See `ControlPlane.tell_kept`."""
        self._nobody(request)

    def results_taken(self) -> tuple[int, ...]:
        """See `ControlPlane.results_taken`."""
        return SILENT

    def asked(self) -> bool:
        """See `ControlPlane.asked`."""
        return False

    def inquiries(self) -> list[Inquiry]:
        """See `ControlPlane.inquiries`."""
        return []

    def answer(self, inquiry: str, part: InquiryPart) -> Inquiry:
        """See `ControlPlane.answer`."""
        self._nobody(inquiry)

    def close(self) -> None:
        """Nothing is open."""

    def _nobody(self, what: str) -> NoReturn:
        raise LinesideError("local.no_control_plane", what=what)
