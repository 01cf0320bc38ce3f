"""How twin tests and their reports are drawn: stages, and each number against its limit."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from lineside.cli.table import details, mark, rows, short
from lineside.client import Client
from lineside.contract.approval import TwinOutcome, TwinReport
from lineside.contract.twin import StageResult, TwinState, TwinTest


class TwinShown(msgspec.Struct, frozen=True, kw_only=True):
    """A twin test with its report, once there is one."""

    test: TwinTest
    report: TwinReport | None
    outputs: dict[str, str] = {}  # digest ► what a test printed


def load_report(client: Client, digest: str | None) -> TwinReport | None:
    """The report with this digest."""
    return None if digest is None else msgspec.json.decode(client.get_blob(digest), type=TwinReport)


def load_outputs(client: Client, report: TwinReport | None) -> dict[str, str]:
    """What the tests of a report printed, by digest."""
    digests = {test.output for twin in report.twins for test in twin.tests} if report is not None else set()
    return {digest: client.get_blob(digest).decode(errors="replace") for digest in sorted(digests)}


def draw_shown(shown: TwinShown) -> RenderableType:
    """A test: where it stands, then what it found."""
    test = shown.test
    good = {TwinState.PASSED: True, TwinState.FAILED: False}.get(test.state)
    head = details(
        (
            ("model", test.model),
            ("twin test", test.id),
            ("state", mark(good, test.state.value.replace("_", " "))),
            ("twins", ", ".join(test.twins)),
            ("rollout", test.rollout),
            ("report", short(test.report) if test.report else None),
        )
    )
    if shown.report is None:
        return Group(head, draw_stages(test.stages))
    return Group(head, draw_report(shown.report), *_printed(shown))


def _printed(shown: TwinShown) -> Iterable[RenderableType]:
    runs = ((twin, test) for twin in (shown.report.twins if shown.report else ()) for test in twin.tests)
    for twin, test in runs:
        if test.output in shown.outputs:
            yield Text(f"{twin.device}, {test.component} {test.name}:", style="bold")
            yield Text(shown.outputs[test.output].rstrip("\n") or "It printed nothing.")


def draw_report(report: TwinReport) -> RenderableType:
    """What the twins saw, as it is signed."""
    before = ", ".join(sorted(report.before)) or "nothing"
    head = details((("from", before), ("soak", f"{report.soak_seconds:g} s"), ("why", report.why)))
    return Group(head, draw_stages(report.stages), *(_twin(twin) for twin in report.twins))


def draw_stages(stages: Iterable[StageResult]) -> RenderableType:
    """The stages that are over."""
    lines = (
        (
            one.stage.value.replace("_", " "),
            mark(one.passed, "passed" if one.passed else "failed"),
            f"{one.seconds:.1f} s",
            one.why,
        )
        for one in stages
    )
    return rows(("stage", "", "took", "why"), lines, "No stage is over yet.")


def _twin(twin: TwinOutcome) -> RenderableType:
    head = details(
        (
            ("twin", twin.device),
            ("profile", twin.profile or "none: nothing is limited"),
            ("limits", twin.limits or None),
            ("progress", twin.progress),
            ("error", twin.error),
        )
    )
    checks = (
        (
            check.name,
            mark(check.passed, "ok" if check.passed else "not met"),
            f"{check.value:g} {check.unit}".strip(),
            "" if check.limit is None else f"{check.limit:g} {check.unit}".strip(),
            check.note,
        )
        for check in twin.checks
    )
    tests = (
        (
            f"{test.component} {test.name}",
            mark(test.passed, "passed" if test.passed else "failed"),
            test.why or f"exit status {test.code}",
            f"{test.seconds:.1f} s",
            test.output,
        )
        for test in twin.tests
    )
    return Group(
        head,
        rows(("measured", "", "value", "limit", ""), checks, "Nothing was measured."),
        rows(("test", "", "ended", "took", "output"), tests, "No component brought tests."),
    )
