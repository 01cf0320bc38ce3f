"""When a device is healthy, and the one word for it. Pure: decided from its desired document and its last report."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.device import DeviceState
from lineside.contract.reported import ComponentState, Phase, Report
from lineside.server.clock import parse_rfc3339


def matches(desired: Desired, report: Report) -> bool:
    """Whether what runs is what is wanted."""
    return runs(desired.components, report)


def runs(components: Sequence[DesiredComponent], report: Report) -> bool:
    """Whether what runs is what is wanted: the same components, each with the wanted recipe's digest and running.

    A device may run components that others depend on; those need not be named by the desired document.
    """
    running = {component.name: component for component in report.running}
    for wanted in components:
        found = running.get(wanted.name)
        if found is None or found.recipe_digest != wanted.recipe_digest or found.error is not None:
            return False
        if found.state in (ComponentState.ERRORED, ComponentState.BROKEN):
            return False
    return True


class Outcome(enum.Enum):
    """What a report on a revision comes to, in the control plane's eyes."""

    INSTALLING = "installing"  # it works on it
    HEALTHY = "healthy"  # it says so, and runs the wanted digests
    FAILED = "failed"  # it gave up, or says healthy and runs something else


_GAVE_UP = frozenset({Phase.ROLLED_BACK, Phase.FAILED, Phase.REFUSED})


def outcome(components: Sequence[DesiredComponent], report: Report) -> Outcome:
    """Judge a report against what its own revision wants."""
    if report.phase in _GAVE_UP:
        return Outcome.FAILED
    if report.phase is Phase.HEALTHY or (report.phase is Phase.IDLE and not components):
        return Outcome.HEALTHY if runs(components, report) else Outcome.FAILED
    return Outcome.INSTALLING


def is_healthy(desired: Desired, report: Report | None) -> bool:
    """Whether a device reported this very revision healthy and runs the wanted digests."""
    if report is None or not desired.components:
        return False
    return report.revision == desired.revision and report.phase is Phase.HEALTHY and matches(desired, report)


def is_offline(last_seen: str | None, now: datetime, limit_seconds: float) -> bool:
    """Whether a device was silent for longer than `limit_seconds`."""
    return last_seen is None or (now - parse_rfc3339(last_seen)).total_seconds() > limit_seconds


def summary(state: DeviceState, desired: Desired, report: Report | None, *, offline: bool) -> str:
    """One word for people. What is wrong beats what is under way."""
    if state is not DeviceState.ACCEPTED:
        return str(state.value)
    if offline:
        return "offline"
    if not desired.components and (report is None or not report.running):
        return "idle"
    if report is None or report.revision < desired.revision:
        return "waiting"
    if report.phase is Phase.HEALTHY and not matches(desired, report):
        return "different"  # says healthy, and runs something else
    return report.phase.value.replace("_", " ")
