"""Is there memory left."""

from __future__ import annotations

from lineside.agent.health import sensors
from lineside.agent.health.checks.subject import Subject
from lineside.agent.health.conditions import Conditions
from lineside.agent.health.watch import look_at_memory
from lineside.contract.inquiry import CheckResult


def check(subject: Subject) -> CheckResult:
    """What programs can still get."""
    conditions = Conditions()
    look_at_memory(conditions, subject.machine)
    for one in conditions.current():
        return CheckResult(name="memory", ok=False, sentence=one.message, next=one.next)
    available, total = sensors.memory(subject.machine)
    words = f"{available / 1e6:.0f} of {total / 1e6:.0f} MB are available."
    return CheckResult(name="memory", ok=True, sentence=words)
