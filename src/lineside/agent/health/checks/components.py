"""Do the components run, and is what runs what is wanted."""

from __future__ import annotations

from lineside.agent.health.checks.subject import Subject
from lineside.agent.status import status
from lineside.contract.inquiry import CheckResult
from lineside.contract.reported import ComponentState

_BAD = (ComponentState.BROKEN, ComponentState.ERRORED)


def check(subject: Subject) -> CheckResult:
    """By the newest report, sent or not."""
    found = status(subject.paths)
    if found.pid is None:
        step = f"Start it: systemctl start lineside-agent, or lineside agent run --root {subject.paths.root}"
        return CheckResult(name="components", ok=False, sentence="The agent does not run.", next=step)
    running = found.report.running if found.report else ()
    bad = [one for one in running if one.state in _BAD]
    if bad:
        first = bad[0]
        why = f": {first.error.message}" if first.error else "."
        words = f"{', '.join(one.name for one in bad)} of {len(running)} components failed; {first.name}{why}"
        step = first.error.next if first.error and first.error.next else f"See {subject.paths.log(first.name)}"
        return CheckResult(name="components", ok=False, sentence=words, next=step)
    if found.report and found.report.error:
        error = found.report.error
        return CheckResult(name="components", ok=False, sentence=error.message, next=error.next)
    names = ", ".join(f"{one.name} {one.version} {one.state.value}" for one in running) or "none"
    return CheckResult(name="components", ok=True, sentence=f"Revision {found.good_revision}: {names}.")
