"""Approvals: what the twins saw of a model, and how far it is with the signatures that let devices install it."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec

from lineside.contract.ceremony import SignedBy
from lineside.contract.twin import StageResult, TwinCheck, TwinState, TwinTestRun

TWIN_REPORT = "lineside.twin-report/2"
_FIRST_TWIN_REPORT = "lineside.twin-report/1"  # golden inputs only


class TwinOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the test on one twin, with its numbers against the limits of its profile."""

    device: str
    progress: str  # a DeviceProgress: healthy means that it ran and reproduced the golden set
    error: str = ""  # an error code
    profile: str = ""  # none: a twin that nothing limits
    limits: str = ""  # how its limits were held: "cgroup v1", "cgroup v2", "rlimits …"
    checks: tuple[TwinCheck, ...] = ()
    tests: tuple[TwinTestRun, ...] = ()


class TwinReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the twins saw of a model version, kept as a blob when the test ended; an approval signs its digest."""

    schema: str = TWIN_REPORT
    model: str  # name:version
    digest: str  # of the model's file
    rollout: str  # that installed it first
    state: str  # succeeded or failed; of the first schema, a RolloutState
    finished_at: str | None
    recipes: dict[str, str]  # component ► digest of the recipe that was tested
    twins: tuple[TwinOutcome, ...]
    stages: tuple[StageResult, ...] = ()
    before: dict[str, str] = {}  # component ► digest of the recipe that ran before, and after rolling back
    soak_seconds: float = 0.0
    why: str = ""  # it failed


NEEDED_CHECKS = ("golden inputs", "peak memory", "latency p50", "latency p95", "restarts", "rolled back", "reinstalled")
"""What has to have been measured on every twin."""

_NEEDED_STAGES = (
    TwinState.PREPARING,
    TwinState.INSTALLING,
    TwinState.SOAKING,
    TwinState.MEASURING,
    TwinState.ROLLING_BACK,
    TwinState.REINSTALLING,
)


def shortfalls(report: TwinReport) -> tuple[str, ...]:
    """Why a report does not speak for its model, worked out from its numbers; empty when it does.

    The control plane decides by it, and the machine of whoever signs works it out once more.
    """
    if report.state != "succeeded":
        return (f"the twin test is {report.state.replace('_', ' ')}",)
    if report.schema == _FIRST_TWIN_REPORT:
        return ()
    if report.schema != TWIN_REPORT:
        return (f"the schema {report.schema[:80]} is not known here",)
    missing = [stage.value for stage in _NEEDED_STAGES if not any(one.stage is stage for one in report.stages)]
    found = [f"the stage {stage.replace('_', ' ')} is missing" for stage in missing]
    found += [f"{one.stage.value.replace('_', ' ')}: {one.why}" for one in report.stages if not one.passed]
    if not report.twins:
        found.append("no twin took part")
    return (*found, *(words for twin in report.twins for words in twin_shortfalls(twin)))


def twin_shortfalls(twin: TwinOutcome, needed: tuple[str, ...] = NEEDED_CHECKS) -> Iterator[str]:
    """The same of one twin."""
    if twin.error or twin.progress != "healthy":
        yield f"{twin.device}: {twin.error or twin.progress}"
    for name in needed:
        if not any(check.name == name or check.name.startswith(f"{name} of ") for check in twin.checks):
            yield f"{twin.device}: {name} was not measured"
    for check in twin.checks:
        over = check.limit is not None and not check.value <= check.limit
        if over or not check.passed:
            yield f"{twin.device}: {check_words(check)}"
    for test in twin.tests:
        if test.code != 0 or not test.passed:
            why = test.why or f"exit status {test.code}"
            yield f"{twin.device}: the test {test.name} of {test.component} failed ({why})"


def check_words(check: TwinCheck) -> str:
    """A check with its number and its limit, in words."""
    number = f"{check.value:g}{' ' if check.unit else ''}{check.unit}"
    limit = "" if check.limit is None else f", the limit is {check.limit:g}{' ' if check.unit else ''}{check.unit}"
    note = f" ({check.note})" if check.note else ""
    return f"{check.name} {number}{limit}{note}"


class ApprovalState(enum.Enum):
    """Where an approval stands."""

    OPEN = "open"  # waits for signatures
    SIGNED = "signed"  # devices may install what it names
    VOID = "void"  # what was signed is no longer what is here


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """The approval of a model version, or the signing of a component: `signed` of `needed` signatures are there."""

    state: ApprovalState
    signed: int
    needed: int
    by: tuple[SignedBy, ...] = ()
    proposal: str | None = None
    withdraws: bool = False  # these are signatures for taking it back
    statement: str | None = None  # digest of what is signed
    why: str = ""  # it is void
