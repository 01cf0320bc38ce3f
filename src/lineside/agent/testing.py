"""Fakes of the agent's ports, for tests that need no network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lineside.agent.link.error import LinkError
from lineside.agent.ports import Content, Download
from lineside.contract.capture import CaptureRecord, Ticket
from lineside.contract.collection import CaptureProgress, CaptureRequest
from lineside.contract.desired import Desired
from lineside.contract.errors import LinesideError, RemoteError
from lineside.contract.export import ExportRecord
from lineside.contract.ids import digest_of
from lineside.contract.inquiry import Inquiry, InquiryPart
from lineside.contract.reported import Report
from lineside.contract.schema_versions import CAPTURES
from lineside.contract.secret import GivenSecrets


class FakeControlPlane:
    """A control plane in memory. `away`: nothing answers; `break_after`: artifacts break off after so many bytes;
    `refusal`: what every ticket request is answered with."""

    def __init__(self) -> None:
        self.document: tuple[Desired, str] | None = None
        self.given: tuple[GivenSecrets, str] | None = None
        self.blobs: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.reports: list[Report] = []
        self.captures: dict[str, CaptureRecord] = {}
        self.exports: dict[str, ExportRecord] = {}
        self.uploaded: dict[str, bytes] = {}
        self.collections = 0
        self.results: tuple[int, ...] = (1,)
        self.reads = CAPTURES  # the versions of captures' schema that it reads, and says it takes
        self.requests: list[CaptureRequest] = []
        self.kept: dict[str, CaptureProgress] = {}
        self.questions: dict[str, Inquiry] = {}
        self.answers: dict[str, list[InquiryPart]] = {}
        self.away = False
        self.break_after: int | None = None
        self.resumes = True
        self.refusal: RemoteError | None = None
        self.offsets: list[int] = []

    def add_blob(self, data: bytes) -> str:
        """Offer an artifact; its digest."""
        self.blobs[digest_of(data)] = data
        return digest_of(data)

    def desired(self, etag: str | None) -> tuple[Desired, str] | None:
        """See `ControlPlane.desired`."""
        self._answer()
        return None if self.document is None or self.document[1] == etag else self.document

    def report(self, reports: tuple[Report, ...]) -> int:
        """See `ControlPlane.report`."""
        self._answer()
        known = {report.sequence for report in self.reports}
        self.reports += [report for report in reports if report.sequence not in known]
        return max(report.sequence for report in self.reports)

    def metadata(self, url: str) -> Iterator[bytes]:
        """See `ControlPlane.metadata`."""
        self._answer()
        if url not in self.files:
            raise RemoteError(LinesideError("request.not_found", what="file", name=url).report(), 404)
        yield self.files[url]

    @contextmanager
    def artifact(self, digest: str, offset: int) -> Iterator[Download]:
        """See `ArtifactSource.artifact`."""
        self._answer()
        self.offsets.append(offset)
        begins = offset if self.resumes else 0
        data = self.blobs[digest][begins:]
        yield Download(begins, len(data), self._pieces(data))

    def secrets(self, etag: str) -> tuple[GivenSecrets, str] | None:
        """See `ControlPlane.secrets`."""
        self._answer()
        return None if self.given is None or self.given[1] == etag else self.given

    def captures_taken(self) -> tuple[int, ...] | None:
        """See `ControlPlane.captures_taken`."""
        return self.reads.told

    def ticket(self, record: bytes) -> Ticket:
        """See `ControlPlane.ticket`."""
        read = self.reads.forms[self.reads.version_of(record) or 1].read(record)
        ticket = self._ticket("uploads", read, read.captured_at)
        self.captures[read.id] = read
        return ticket

    def export_ticket(self, record: ExportRecord) -> Ticket:
        """See `ControlPlane.export_ticket`."""
        ticket = self._ticket("exports", record, record.claimed_at)
        self.exports[record.id] = record
        return ticket

    def upload(self, ticket: Ticket, data: bytes | Content) -> None:
        """See `ControlPlane.upload`."""
        self._answer()
        sent = data if isinstance(data, bytes) else b"".join(data)
        self.uploaded[ticket.digest] = self.uploaded.get(ticket.digest, b"")[: ticket.received] + sent

    def put_done(self, ticket: Ticket) -> None:
        """See `ControlPlane.put_done`."""
        self._answer()

    def collecting(self) -> int:
        """See `ControlPlane.collecting`."""
        return self.collections

    def capture_requests(self) -> list[CaptureRequest]:
        """See `ControlPlane.capture_requests`."""
        self._answer()
        return list(self.requests)

    def tell_kept(self, request: str, progress: CaptureProgress) -> None:
        """See `ControlPlane.tell_kept`."""
        self._answer()
        self.kept[request] = progress

    def results_taken(self) -> tuple[int, ...]:
        """See `ControlPlane.results_taken`."""
        return self.results

    def asked(self) -> bool:
        """See `ControlPlane.asked`."""
        return bool(self.questions)

    def inquiries(self) -> list[Inquiry]:
        """See `ControlPlane.inquiries`."""
        self._answer()
        return list(self.questions.values())

    def answer(self, inquiry: str, part: InquiryPart) -> Inquiry:
        """See `ControlPlane.answer`; what is not asked any more is refused."""
        self._answer()
        question = self.questions.get(inquiry)
        if question is None:
            raise RemoteError(LinesideError("inquiry.ended", id=inquiry).report(), 409)
        parts = self.answers.setdefault(inquiry, [])
        if part.number >= len(parts):
            parts.append(part)
        if part.done:
            del self.questions[inquiry]
        return question

    def _ticket(self, kind: str, record: CaptureRecord | ExportRecord, expires_at: str) -> Ticket:
        self._answer()
        if self.refusal is not None:
            raise self.refusal
        return Ticket(
            id=record.id,
            url=f"/device/v1/{kind}/{record.id}",
            digest=record.digest,
            max_bytes=record.size,
            expires_at=expires_at,
            uploaded=record.digest in self.uploaded,
        )

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), 1024):
            if self.break_after is not None and start >= self.break_after:
                self._gone()
            yield data[start : start + 1024]

    def _answer(self) -> None:
        if self.away:
            self._gone()

    def _gone(self) -> None:
        raise LinkError("link.unreachable", url="memory", why="it is away")
