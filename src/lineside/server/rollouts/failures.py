"""Why a device failed in a rollout: what it said, what it runs instead, what does not go together, or it is slow."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.reported import Report
from lineside.server.database.among import among
from lineside.server.devices.model import Outcome, runs
from lineside.server.devices.store import DesiredContentRow, DesiredRow, DeviceRow
from lineside.server.rollouts import conflicts
from lineside.server.rollouts.store import RolloutRow


def errors_of(session: Session, row: RolloutRow, devices: Sequence[str]) -> dict[str, ErrorReport | None]:
    """What went wrong with each of these devices, None where it did not say."""
    found: dict[str, ErrorReport | None] = dict(conflicts.of(session, devices))
    contents: dict[str, tuple[DesiredComponent, ...]] = {}
    if devices:
        query = select(DeviceRow.name, DeviceRow.report, DeviceRow.outcome, DeviceRow.revision, DesiredRow)
        query = query.outerjoin(DesiredRow, DesiredRow.device == DeviceRow.name)
        named = query.where(among(DeviceRow.name, devices))
        for name, report, outcome, revision, desired in session.execute(named):
            if name in found:
                continue
            spoke = desired is not None and revision == desired.revision
            if report is None or not spoke or outcome != Outcome.FAILED.value:
                found[name] = _too_slow(row, name)
                continue
            if desired.content not in contents:
                contents[desired.content] = session.get_one(DesiredContentRow, desired.content).components
            error = report.error or _difference(contents[desired.content], report)
            found[name] = error and error.on(name)
    return found


def _too_slow(row: RolloutRow, device: str) -> ErrorReport | None:
    if row.plan.install_seconds is None:
        return None
    seconds = f"{row.plan.install_seconds + row.plan.soak_seconds:g}"
    return LinesideError("rollout.too_slow", device=device, seconds=seconds).report()


def _difference(wanted: Sequence[DesiredComponent], report: Report) -> ErrorReport | None:
    """The first component that is not as it should be."""
    wrong = next((one for one in wanted if not runs([one], report)), None)
    if wrong is None:
        return None
    running = {component.name: f"{component.version} ({component.state.value})" for component in report.running}
    found = running.get(wrong.name, "nothing")
    error = LinesideError(
        "rollout.not_as_wanted", device=report.device, name=wrong.name, wanted=wrong.version, found=found
    )
    return error.report()
