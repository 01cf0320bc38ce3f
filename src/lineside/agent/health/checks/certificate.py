"""How long does the device's certificate last."""

from __future__ import annotations

from lineside.agent.clock import rfc3339
from lineside.agent.health.checks.subject import Subject
from lineside.agent.health.watch import ends_soon
from lineside.agent.link import vault
from lineside.contract.counted import counted
from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import CheckResult


def check(subject: Subject) -> CheckResult:
    """Whether it can be read, and when it ends."""
    if subject.alone:
        return CheckResult(name="certificate", ok=True, sentence="The device has none: it has no control plane.")
    begin, end = vault.certificate_life(subject.paths.certificate)
    days = (end - subject.clock.time()) / 86_400
    if ends_soon(begin, end, subject.clock.time()):
        soon = LinesideError("device.certificate_expires", at=rfc3339(end), root=subject.paths.root)
        return CheckResult(name="certificate", ok=False, sentence=soon.message, next=soon.next)
    words = f"The device's certificate is good until {rfc3339(end)} ({counted(round(days), 'day')})."
    return CheckResult(name="certificate", ok=True, sentence=words)
