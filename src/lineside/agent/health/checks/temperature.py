"""Is the machine too hot."""

from __future__ import annotations

from lineside.agent.health import sensors
from lineside.agent.health.checks.subject import Subject
from lineside.agent.health.conditions import Conditions
from lineside.agent.health.watch import look_at_temperature
from lineside.contract.inquiry import CheckResult


def check(subject: Subject) -> CheckResult:
    """The hottest sensor."""
    conditions = Conditions()
    look_at_temperature(conditions, subject.machine)
    for one in conditions.current():
        return CheckResult(name="temperature", ok=False, sentence=one.message, next=one.next)
    found = sensors.temperatures(subject.machine)
    words = f"{found[0].sensor} is at {found[0].celsius:.0f} °C." if found else "The machine has no sensor that tells."
    return CheckResult(name="temperature", ok=True, sentence=words)
