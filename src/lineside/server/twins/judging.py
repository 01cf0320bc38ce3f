"""What a twin answered, as numbers against the limits of its profile. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.reading import UNREADABLE
from lineside.contract.reported import ComponentState, Report, ReportedComponent
from lineside.contract.twin import Profile, TestResult, TwinAnswer, TwinCheck, TwinTestRun, read_profile

_MIB = 1 << 20
_DOWN = (ComponentState.ERRORED, ComponentState.BROKEN)


def profile_in(facts: Mapping[str, Any]) -> Profile | None:
    """The profile a twin says it runs under; None when it says none, or none that can be read."""
    try:
        return read_profile(msgspec.json.encode(facts["profile_values"]), "the twin's profile")
    except (KeyError, TypeError, LinesideError):
        return None


def checks_of(
    answer: TwinAnswer, tests: Iterable[TestResult], inference: str, restarts_before: int
) -> tuple[TwinCheck, ...]:
    """What was measured on one twin. `inference` is the component that runs the model, which has to have reproduced its
    golden inputs; `restarts_before` is what all components had restarted when the soak began."""
    profile = profile_in(answer.facts)
    return (
        _golden(answer.running, inference),
        *_peaks(answer.running, profile),
        *_latency(tests, profile),
        *_crashes(answer.running, restarts_before),
    )


def _golden(running: Sequence[ReportedComponent], inference: str) -> TwinCheck:
    said = next((str(one.probe.get("golden", "")) for one in running if one.name == inference), "")
    matched = said == "matched"
    note = f"{inference} says {said[:40] or 'nothing'}"
    return TwinCheck(name="golden inputs", value=1.0 if matched else 0.0, passed=matched, note=note)


def _peaks(running: Sequence[ReportedComponent], profile: Profile | None) -> Iterable[TwinCheck]:
    limit = None if profile is None else float(profile.peak_memory_mib)
    for one in running:
        if one.usage is not None and one.usage.processes:
            peak = round(max(one.usage.peak_bytes, one.usage.memory_bytes) / _MIB, 1)
            within = limit is None or peak <= limit
            yield TwinCheck(name=f"peak memory of {one.name}", value=peak, limit=limit, unit="MiB", passed=within)


def _latency(tests: Iterable[TestResult], profile: Profile | None) -> Iterable[TwinCheck]:
    for test in tests:
        said = last_object(test.output).get("latency_ms")
        if not isinstance(said, dict) or test.code != 0:
            continue
        for name in ("p50", "p95"):
            value = said.get(name)
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                continue
            limit = profile.latency_p95_ms if profile is not None and name == "p95" else None
            yield TwinCheck(
                name=f"latency {name} of {test.component}",
                value=round(float(value), 2),
                limit=limit,
                unit="ms",
                passed=limit is None or value <= limit,
            )


def _crashes(running: Sequence[ReportedComponent], before: int) -> Iterable[TwinCheck]:
    down = [one.name for one in running if one.state in _DOWN or one.error is not None]
    restarts = max(0, sum(one.restarts for one in running) - before)
    note = f"{', '.join(down)} is down" if down else ""
    yield TwinCheck(name="restarts", value=float(restarts), limit=0.0, passed=not restarts and not down, note=note)


def last_object(output: str) -> dict[str, Any]:
    """The JSON object in the last line of an output, if there is one."""
    line = next((line for line in reversed(output.splitlines()) if line.strip()), "")
    try:
        value = msgspec.json.decode(line)
    except UNREADABLE:
        return {}
    return value if isinstance(value, dict) else {}


def newest(tests: Iterable[TestResult]) -> list[TestResult]:
    """Each test once: one that was run again, because the agent started anew, counts as it ran last."""
    return list({(one.component, one.name): one for one in tests}.values())


def run_of(test: TestResult) -> TwinTestRun:
    """A test as the report keeps it."""
    return TwinTestRun(
        component=test.component,
        name=test.name,
        passed=test.code == 0,
        code=test.code,
        seconds=test.seconds,
        output=digest_of(test.output.encode()),
        why=test.why,
    )


def digests_check(name: str, wanted: Mapping[str, str], gone: Iterable[str], report: Report | None) -> TwinCheck:
    """How many components differ from the recipes that should run now; `gone` are those that must not run any more."""
    running = {one.name: one.recipe_digest for one in report.running} if report is not None else {}
    differing = sorted(
        {one for one, digest in wanted.items() if running.get(one) != digest} | (set(gone) & set(running))
    )
    return TwinCheck(
        name=name,
        value=float(len(differing)),
        limit=0.0,
        unit="components differ" if len(differing) != 1 else "component differs",
        passed=not differing,
        note=", ".join(differing),
    )
