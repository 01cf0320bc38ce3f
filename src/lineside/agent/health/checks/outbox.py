"""How much waits on the device for the control plane and its broker."""

from __future__ import annotations

from lineside.agent.health.checks.subject import Subject
from lineside.agent.link.outbox import BATCH
from lineside.agent.link.spool import Spool
from lineside.agent.status import status
from lineside.contract.counted import counted
from lineside.contract.inquiry import CheckResult

MANY_MESSAGES = 1000


def check(subject: Subject) -> CheckResult:
    """Reports and messages that nobody has acknowledged."""
    reports = status(subject.paths).reports_waiting
    messages = 0
    if subject.paths.spool.exists():
        spool = Spool(subject.paths.spool)
        messages = len(spool)
        spool.close()
    verb = "waits" if reports + messages == 1 else "wait"
    words = f"{counted(reports, 'report')} and {counted(messages, 'message')} {verb} to be sent."
    if reports >= BATCH or messages >= MANY_MESSAGES:
        step = "See the network and broker checks; what is over the bounds is dropped or refused by rule."
        return CheckResult(name="outbox", ok=False, sentence=words, next=step)
    return CheckResult(name="outbox", ok=True, sentence=words)
