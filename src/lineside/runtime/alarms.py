"""What a person should look at while the line runs, gathered from the status: the agent carries it to the control
plane. An alarm lasts as long as what it tells of. Imports no numpy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from lineside.contract.alarm import Alarm
from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.shadow import ShadowState
from lineside.runtime.announce import rfc3339
from lineside.runtime.frames import UNWELL
from lineside.runtime.models.swap_status import SwapState
from lineside.runtime.status import Status

SINK_SECONDS = 60.0
"""For how long a sink is away before that is an alarm: brokers restart. After a clock was set back nobody can tell how
long it is, and an alarm too early is better than none for as long as the clock went back."""


def alarms_of(status: Status, now: float) -> tuple[Alarm, ...]:
    """Every alarm of a status; those that it held already keep the moment they began at. `now`: seconds since 1970."""
    began = {(one.subject, one.code): one.since for one in status.alarms}
    return tuple(
        Alarm(
            subject=subject,
            code=error.code,
            message=error.message,
            next=error.next,
            since=since or began.get((subject, error.code)) or rfc3339(now),
        )
        for subject, error, since in _found(status, now)
    )


_Found = Iterator[tuple[str, ErrorReport, str]]  # what it is about, what is wrong, since when if that is known


def _found(status: Status, now: float) -> _Found:
    yield from _sources(status)
    yield from _models(status)
    yield from _sinks(status, now)
    yield from _lost(status)
    if status.api:
        yield "api", status.api, ""


def _sources(status: Status) -> _Found:
    for name, one in status.sources.items():
        health = one.health
        if health.state in UNWELL:
            error = ErrorReport(code=health.code, message=health.why, next=health.next)
            yield f"source {name}", error, rfc3339(health.since)


def _models(status: Status) -> _Found:
    for component, swap in status.swaps.items():
        if swap.state is SwapState.REFUSED:
            why = swap.error.message if swap.error else "it did not say why."
            after = swap.error.next if swap.error else ""
            refused = LinesideError("model.refused", folder=swap.folder, why=why, next=after)
            yield f"model {component}", _named(refused, swap.error), ""
    shadow = status.shadow
    if shadow is not None and shadow.state is ShadowState.OFF and shadow.why:
        yield "shadow", LinesideError("model.shadow_off", why=shadow.why).report(), ""


def _named(refused: LinesideError, behind: ErrorReport | None) -> ErrorReport:
    """Its sentence, under the code of what is behind it."""
    report = refused.report()
    return ErrorReport(code=behind.code if behind else report.code, message=report.message, next=report.next)


def _sinks(status: Status, now: float) -> _Found:
    for name, sink in status.sinks.items():
        if sink.error:
            yield f"sink {name}", sink.error, sink.since
        elif sink.trouble and not 0 <= now - datetime.fromisoformat(sink.since).timestamp() < SINK_SECONDS:
            yield f"sink {name}", LinesideError("sink.away", sink=name, why=sink.trouble).report(), sink.since
        if sink.refused:
            refused = LinesideError("sink.refused", sink=name, count=sink.refused, why=sink.refusal)
            yield f"sink {name}", refused.report(), ""


def _lost(status: Status) -> _Found:
    """Results that nobody will see: told until the process ends."""
    if status.dropped:
        yield "spool", LinesideError("spool.dropped", count=status.dropped).report(), ""
