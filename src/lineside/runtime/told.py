"""`status`: what a run says of itself, for people: alarms first, then its frames by source, sinks, models, captures.
Imports no numpy."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from lineside.contract.errors import LinesideError
from lineside.runtime.captures.counts import CaptureStatus
from lineside.runtime.status import Status, is_alive, read_status


def tell_status(work: Path, *, json: bool) -> int:
    """Prints the status of a run's work folder. Raises `runtime.no_status` when there is none."""
    status = read_status(work)
    if status is None:
        raise LinesideError("runtime.no_status", path=work)
    lines = [msgspec.json.encode(status).decode()] if json else [*_run(status), *_beside(status)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _run(status: Status) -> list[str]:
    state = status.state.value if is_alive(status) else f"{status.state.value}, and not running any more"
    counts = f"{status.seen} seen, {status.decided} decided, {status.skipped} skipped, {status.failed} failed"
    lines = [f"{status.model or 'no model'} {status.version}: {state}", f"images: {counts}, {status.captured} captured"]
    if status.error:
        lines.append(f"{status.error.code}: {status.error.message}\n  Next: {status.error.next}")
    for alarm in status.alarms:
        lines.append(f"alarm, {alarm.subject}, since {alarm.since}: {alarm.code}: {alarm.message}")
        lines += [f"  Next: {alarm.next}"] if alarm.next else []
    return lines


def _beside(status: Status) -> list[str]:
    return [*_sources(status), *_sinks(status), *_models(status), *_captures(status.captures)]


def _sources(status: Status) -> list[str]:
    lines = []
    for name, one in status.sources.items():
        counts = one.counts
        skipped = ", ".join(f"{count} {why}" for why, count in sorted(counts.skipped.items())) or "none"
        lines.append(
            f"source {name} ({one.kind}, to {one.model}): {one.health.state.value}; {counts.seen} seen, "
            f"{counts.decided} decided, {counts.late} late, {counts.failed} failed, {counts.waiting} waiting; "
            f"skipped: {skipped}"
        )
    return lines


def _sinks(status: Status) -> list[str]:
    return [
        f"sink {name}: {one.delivered} delivered, {one.missed} missed, {one.failures} failures"
        + (f"; {one.refused} refused, the last one {one.refusal}" if one.refused else "")
        + (f"; since {one.since}: {one.trouble}" if one.trouble else "")
        for name, one in status.sinks.items()
    ]


def _models(status: Status) -> list[str]:
    lines = [f"follows {name}: {one.state.value}, {one.folder}".rstrip(", ") for name, one in status.swaps.items()]
    return [*lines, f"shadow: {status.shadow.told}"] if status.shadow is not None else lines


def _captures(captures: CaptureStatus | None) -> list[str]:
    if captures is None:
        return ["captures: off"]
    lines = [
        f"captures: {captures.waiting} wait, {captures.waiting_bytes} of {captures.limit_bytes} bytes",
        captures.rule,
    ]
    for name, one in captures.strategies.items():
        refused = ", ".join(f"{count} {reason}" for reason, count in sorted(one.refused.items())) or "none"
        thinned = captures.thinned.get(name, 0)
        lines.append(f"  {name}: {one.wanted} wanted, {one.kept} kept, {thinned} thinned; refused: {refused}")
    for name, asked in captures.requests.items():
        lines.append(f"  request {name}: {asked.kept} of {asked.asked}, {asked.state}. {asked.why}".rstrip())
    if captures.interrupted:
        lines.append(f"  {captures.interrupted} interrupted: being written when an earlier process died")
    if captures.last_refusal:
        lines.append(f"last refusal: {captures.last_refusal}")
    return lines
