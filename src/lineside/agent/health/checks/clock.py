"""Is the clock right, by the control plane's."""

from __future__ import annotations

import time

from lineside.agent.clock import rfc3339
from lineside.agent.health.checks.subject import Subject
from lineside.agent.health.conditions import Conditions
from lineside.agent.health.watch import look_at_clock
from lineside.contract.inquiry import CheckResult


def check(subject: Subject) -> CheckResult:
    """Compare with the control plane, or with the date of joining when it cannot be reached."""
    if not subject.alone:
        _ = subject.reached
    conditions = Conditions()
    look_at_clock(subject.clock, conditions)
    for one in conditions.current():
        return CheckResult(name="clock", ok=False, sentence=one.message, next=one.next)
    off = subject.clock.difference()
    if off is None:
        words = f"It says {rfc3339(time.time())}; there is nothing to compare it with."
    else:
        words = f"It says {rfc3339(time.time())}, {abs(off):.0f} s from the control plane's."
    return CheckResult(name="clock", ok=True, sentence=words)
