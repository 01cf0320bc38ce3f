"""Reports: what devices say they run. Stored once each, by sequence; the newest is what counts."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from lineside.contract.desired import Desired
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.reported import Phase, Report, ReportsAnswer, ReportsRequest
from lineside.server.clock import rfc3339
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.model import is_offline
from lineside.server.devices.store import DeviceRow, open_inquiries
from lineside.server.services import Core

MAX_REPORTS = 100
_ENDINGS = (Phase.HEALTHY, Phase.ROLLED_BACK, Phase.FAILED, Phase.REFUSED)


class Reports:
    """The devices' side of the device API: ask what to do, say what was done."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._desired = DesiredDocuments(core)

    def desired(self, device: str) -> tuple[Desired, int]:
        """The device's document, and how much people are asking it now; asking for it counts as being seen."""
        with self._core.database.read() as session:
            document, row = self._desired.desired(session, device), session.get(DeviceRow, device)
            asked = len(open_inquiries(session, device, rfc3339(self._core.clock.now())))
        if row is not None and self._is_stale(row):
            with self._core.database.write() as session:
                self._seen(session, device)
        return document, asked

    def accept(self, device: str, request: ReportsRequest) -> ReportsAnswer:
        """Store reports, oldest first; those stored before are skipped. Raises `auth.not_yours`, `request.invalid`."""
        reports = request.reports
        if any(report.device != device for report in reports):
            raise LinesideError("auth.not_yours", device=device)
        if not 0 < len(reports) <= MAX_REPORTS:
            raise LinesideError("request.invalid", why=f"1 to {MAX_REPORTS} reports at once")
        with self._core.database.write() as session:
            row = self._seen(session, device)
            for report in sorted(reports, key=lambda report: report.sequence):
                if report.sequence > row.sequence:
                    self._store(session, row, report)
            return ReportsAnswer(accepted=row.sequence)

    def _store(self, session: Session, row: DeviceRow, report: Report) -> None:
        before, row.report, row.sequence = row.report, report, report.sequence
        told = set(_errors(before)) if before is not None and before.revision == report.revision else set()
        for error in _errors(report):
            if error not in told:
                self._event(session, row.name, report, error)
        ended_before = before is not None and (before.revision, before.phase) == (report.revision, report.phase)
        if report.phase in _ENDINGS and not ended_before:
            kind = f"device.{report.phase.value}"
            words = f"revision {report.revision}: {report.phase.value.replace('_', ' ')}"
            self._core.events.record(session, kind=kind, subject=row.name, message=words, actor=row.name)

    def _event(self, session: Session, device: str, report: Report, error: tuple[str, str]) -> None:
        where, _ = error
        found = next(found for place, found in _located(report) if (place, found.code) == error)
        words = f"revision {report.revision}, {where}: {found.message}" if where else found.message
        self._core.events.record(session, kind="device.error", subject=device, message=words, actor=device, error=found)

    def _seen(self, session: Session, device: str) -> DeviceRow:
        row = session.get(DeviceRow, device)
        if row is None:
            raise LinesideError("request.not_found", what="device", name=device)
        row.last_seen = rfc3339(self._core.clock.now())
        return row

    def _is_stale(self, row: DeviceRow) -> bool:
        # Each poll as a write would cost an fsync; half a poll of doubt is good enough to tell offline devices.
        return is_offline(row.last_seen, self._core.clock.now(), max(1.0, self._core.settings.poll_seconds / 2))


def _located(report: Report) -> Iterator[tuple[str, ErrorReport]]:
    if report.error is not None:
        yield "", report.error
    for condition in report.conditions:
        yield "", condition
    for component in report.running:
        if component.error is not None:
            yield component.name, component.error


def _errors(report: Report) -> list[tuple[str, str]]:
    """Which errors a report tells: where, and which code."""
    return [(place, error.code) for place, error in _located(report)]
