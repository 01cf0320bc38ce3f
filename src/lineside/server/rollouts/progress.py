"""Where one device stands, recomputed from its last report against its desired document. Pure.

A device's own word "healthy" is not enough: every wanted component must be reported at the wanted recipe digest.
"""

from __future__ import annotations

import msgspec

from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.reported import Phase, Report
from lineside.contract.rollout import DeviceProgress
from lineside.server.devices.model import matches

_GAVE_UP = frozenset({Phase.ROLLED_BACK, Phase.FAILED, Phase.REFUSED})


def progress_of(desired: Desired, report: Report | None) -> tuple[DeviceProgress, ErrorReport | None]:
    """The device's progress towards `desired`, and what it says went wrong. No report on the revision is NOTIFIED."""
    if report is None or report.revision != desired.revision:
        return DeviceProgress.NOTIFIED, None
    if report.phase in _GAVE_UP:
        return DeviceProgress.FAILED, report.error
    if report.phase is Phase.HEALTHY or (report.phase is Phase.IDLE and not desired.components):
        wrong = _first_wrong(desired, report)
        return (DeviceProgress.HEALTHY, None) if wrong is None else (DeviceProgress.FAILED, _difference(wrong, report))
    return DeviceProgress.INSTALLING, None


def is_settled(desired: Desired, report: Report | None) -> bool:
    """Whether the device is done with `desired`, well or badly: what a device that was sent back must reach."""
    return progress_of(desired, report)[0] in (DeviceProgress.HEALTHY, DeviceProgress.FAILED)


def _first_wrong(desired: Desired, report: Report) -> DesiredComponent | None:
    alone = (msgspec.structs.replace(desired, components=(wanted,)) for wanted in desired.components)
    return next((one.components[0] for one in alone if not matches(one, report)), None)


def _difference(wanted: DesiredComponent, report: Report) -> ErrorReport:
    running = {component.name: f"{component.version} ({component.state.value})" for component in report.running}
    found = running.get(wanted.name, "nothing")
    error = LinesideError(
        "rollout.not_as_wanted", device=report.device, name=wanted.name, wanted=wanted.version, found=found
    )
    return error.report()
