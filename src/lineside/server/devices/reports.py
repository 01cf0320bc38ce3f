"""Reports: what devices say they run. Stored once each, by sequence; the newest is what counts."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from lineside.contract.desired import Desired
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.reported import Phase, Report, ReportsAnswer, ReportsRequest
from lineside.server.clock import rfc3339
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.model import Outcome, is_offline, outcome
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
        self._judge(session, row, report)
        told = set(_errors(before)) if before is not None and before.revision == report.revision else set()
        for error in _errors(report):
            if error not in told:
                self._event(session, row.name, report, error)
        ended_before = before is not None and (before.revision, before.phase) == (report.revision, report.phase)
        if report.phase in _ENDINGS and not ended_before:
            kind = f"device.{report.phase.value}"
            words = f"revision {report.revision}: {report.phase.value.replace('_', ' ')}"
            self._core.events.record(session, kind=kind, subject=row.name, message=words, actor=row.name)

    def _judge(self, session: Session, row: DeviceRow, report: Report) -> None:
        """Keep what the report comes to in columns, so that fleets are counted without reading reports.

        A report on a revision that is no longer wanted cannot be judged: its document is gone.
        """
        document = self._desired.desired(session, row.name)
        judged = outcome(document.components, report) if report.revision == document.revision else None
        same = row.revision == report.revision and row.outcome == Outcome.HEALTHY.value
        if judged is not Outcome.HEALTHY:
            row.healthy_since = None
        elif not same or row.healthy_since is None:
            row.healthy_since = rfc3339(self._core.clock.now())
        row.revision, row.phase = report.revision, report.phase.value
        row.outcome = judged.value if judged else None
        row.restarts = sum(component.restarts for component in report.running)

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
