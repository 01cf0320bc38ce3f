"""Reports: what devices say they run. Stored once each, by sequence; the newest is what counts. What is new in one
becomes an event: an error, the end of an update, an alarm of a component and its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.contract.alarm import raised
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.reported import Phase, Report, ReportsAnswer, ReportsRequest
from lineside.server.clock import rfc3339
from lineside.server.database.together import Together
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.facts import remember
from lineside.server.devices.model import Outcome, outcome
from lineside.server.devices.running import note_running
from lineside.server.devices.store import DesiredRow, DeviceRow
from lineside.server.services import Core

MAX_REPORTS = 100
MOST = 2**31 - 1
"""The largest sequence, revision or count of restarts that is kept."""
_Said = tuple[str, Sequence[Report]]  # device, its reports
_ENDINGS = (Phase.HEALTHY, Phase.ROLLED_BACK, Phase.FAILED, Phase.REFUSED)


class Reports:
    """Takes what devices report. What arrives while a transaction is under way shares the next one."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._desired = DesiredDocuments(core)
        self._together = Together[_Said, ReportsAnswer]("reports", self._take)

    async def accept(self, device: str, request: ReportsRequest) -> ReportsAnswer:
        """Store reports, oldest first; those stored before are skipped. When this returns they are on the disk.

        Raises `auth.not_yours`, `request.invalid`, `request.not_found`.
        """
        reports = request.reports
        if any(report.device != device for report in reports):
            raise LinesideError("auth.not_yours", device=device)
        if not 0 < len(reports) <= MAX_REPORTS:
            raise LinesideError("request.invalid", why=f"1 to {MAX_REPORTS} reports at once")
        if not all(map(_is_countable, reports)):
            raise LinesideError("request.invalid", why=f"a number in a report is under 0 or over {MOST}")
        return await self._together((device, reports))

    def _take(self, said: Sequence[_Said]) -> Sequence[ReportsAnswer | Exception]:
        now = rfc3339(self._core.clock.now())
        with self._core.database.write() as session:
            names = {device for device, _ in said}
            rows = {row.name: row for row in session.scalars(select(DeviceRow).where(DeviceRow.name.in_(names)))}
            _wanted = session.scalars(select(DesiredRow).where(DesiredRow.device.in_(names))).all()  # kept for _judge
            before = {name: row.report for name, row in rows.items()}
            found = [self._take_from(session, rows.get(device), device, reports, now) for device, reports in said]
            newest = [(name, before[name], row.report) for name, row in rows.items() if row.report is not None]
            note_running(session, newest)
            return found

    def _take_from(
        self, session: Session, row: DeviceRow | None, device: str, reports: Sequence[Report], now: str
    ) -> ReportsAnswer | Exception:
        if row is None:
            return LinesideError("request.not_found", what="device", name=device)
        row.last_seen = now
        for report in sorted(reports, key=lambda report: report.sequence):
            if report.sequence > row.sequence:
                self._store(session, row, report)
        return ReportsAnswer(accepted=row.sequence)

    def _store(self, session: Session, row: DeviceRow, report: Report) -> None:
        before, row.report, row.sequence = row.report, report, report.sequence
        row.conditions = len(report.conditions) + len(raised(report))
        self._judge(session, row, report)
        remember(session, row, report.facts)
        told = set(_errors(before)) if before is not None and before.revision == report.revision else set()
        for error in _errors(report):
            if error not in told:
                self._event(session, row.name, report, error)
        self._alarms(session, row.name, before, report)
        ended_before = before is not None and (before.revision, before.phase) == (report.revision, report.phase)
        if report.phase in _ENDINGS and not ended_before:
            kind = f"device.{report.phase.value}"
            words = f"revision {report.revision}: {report.phase.value.replace('_', ' ')}"
            self._record(session, kind, row.name, words)

    def _alarms(self, session: Session, device: str, before: Report | None, report: Report) -> None:
        """An event for each alarm that is new, whatever revision is wanted by now, and for each that is over."""
        was = {(one.where, one.alarm.code): one for one in raised(before)}
        now = {(one.where, one.alarm.code): one for one in raised(report)}
        for each in sorted(now.keys() - was.keys()):
            error = now[each].report().on(device)
            self._record(session, "device.alarm", device, error.message, error)
        for where, code in sorted(was.keys() - now.keys()):
            self._record(session, "device.alarm_over", device, f"{where}: {code} is over")

    def _record(self, session: Session, kind: str, device: str, words: str, error: ErrorReport | None = None) -> None:
        self._core.events.record(session, kind=kind, subject=device, message=words, actor=device, error=error)

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
        self._record(session, "device.error", device, words, found.on(device))


def _is_countable(report: Report) -> bool:
    """Whether its numbers fit their columns: one that doesn't would fail everybody's reports of the same turn."""
    numbers = (report.sequence, report.revision, *(component.restarts for component in report.running))
    return all(0 <= number <= MOST for number in numbers) and sum(numbers[2:]) <= MOST


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
