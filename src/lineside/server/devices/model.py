"""When a device runs what it should. Pure: decided from its desired document and its last report."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

from lineside.contract.desired import Desired, DesiredComponent
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


def is_offline(last_seen: str | None, now: datetime, limit_seconds: float) -> bool:
    """Whether a device was silent for longer than `limit_seconds`."""
    return last_seen is None or (now - parse_rfc3339(last_seen)).total_seconds() > limit_seconds
