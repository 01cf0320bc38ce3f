"""Does one step of one run: asks whether it was done before, works, remembers, reports."""

from __future__ import annotations

import logging
import time
from typing import Any

import msgspec

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.run import CachedStep, Run, RunState, StepState
from lineside.pipeline import again, crash
from lineside.pipeline.control import LOST
from lineside.pipeline.reporter import RunCancelled
from lineside.pipeline.step import Context, Results, StepDefinition, key_of

_FINISHED = (StepState.DONE, StepState.CACHED, StepState.SKIPPED)
_logger = logging.getLogger(__name__)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a step ended: with outputs, with nothing to do (both None), with an error, because the run was stopped, or
    because another attempt at it has begun (`lost`)."""

    outputs: dict[str, Any] | None = None
    error: ErrorReport | None = None
    cancelled: bool = False
    lost: bool = False


def execute(step: StepDefinition, run: Run, results: Results, context: Context) -> Outcome:
    """Do a step, or find what it made before; a failed step is an outcome, too.

    A power cut at any line leads here again, to the same outcome. What may pass is tried again, see `again`.
    """
    if run.state is RunState.CANCELLED:
        return Outcome(cancelled=True)
    try:
        return Outcome(outputs=_patiently(step, run, results, context))
    except RunCancelled:
        return Outcome(cancelled=True)
    except Exception as failure:  # noqa: BLE001 the boundary: whatever a step raises ends its run, not the worker
        if isinstance(failure, LinesideError) and failure.code == LOST:
            return Outcome(lost=True)
        try:
            return _failed(step, run, context, failure)
        except LinesideError as error:
            if error.code != LOST:
                raise
            return Outcome(lost=True)


def _patiently(step: StepDefinition, run: Run, results: Results, context: Context) -> dict[str, Any] | None:
    for seconds in again.PAUSES:
        try:
            return _outputs(step, run, results, context)
        except RunCancelled:
            raise
        except Exception as failure:
            if not again.deserves(failure):
                raise
            _logger.warning("the step %s is tried again in %g s: %s", step.name, seconds, failure)
            context.reporter.again(str(failure), seconds)
            context.pause(seconds)
    return _outputs(step, run, results, context)


def _failed(step: StepDefinition, run: Run, context: Context, failure: Exception) -> Outcome:
    if context.control.run(run.id).state is RunState.CANCELLED:
        return Outcome(cancelled=True)
    _logger.error("the step %s failed", step.name, exc_info=failure)
    error = failure
    if not isinstance(error, LinesideError):
        error = LinesideError("run.step_failed", step=step.name, why=f"{type(failure).__name__}: {failure}")
    context.reporter.failed(error.report())
    return Outcome(error=error.report())


def _outputs(step: StepDefinition, run: Run, results: Results, context: Context) -> dict[str, Any] | None:
    inputs = step.inputs(run.request, results)
    if inputs is None:
        if context.reporter.state not in _FINISHED:
            context.reporter.skipped("This run has no need of it.")
        return None
    inputs = step.complete(context, inputs)
    key = key_of(step, inputs)
    known = context.control.cached_step(key)
    if known is not None and (known.run == run.id or not _wanted_anew(step, run)):
        _logger.info("the step %s was done before, by %s", step.name, known.run)
        _report(step, context, known.outputs, cached=known.run != run.id)
        return known.outputs
    _logger.info("the step %s begins", step.name)
    context.reporter.begin()
    crash.point(f"step.begun:{step.name}")
    began = time.monotonic()
    outputs: dict[str, Any] = msgspec.to_builtins(step.perform(context, inputs))
    _logger.info("the step %s is done after %.1f s", step.name, time.monotonic() - began)
    crash.point(f"step.performed:{step.name}")
    context.control.cache_step(CachedStep(key=key, outputs=outputs, run=run.id))
    crash.point(f"step.remembered:{step.name}")
    _report(step, context, outputs, cached=False)
    crash.point(f"step.reported:{step.name}")
    return outputs


def _wanted_anew(step: StepDefinition, run: Run) -> bool:
    """Whether what an earlier run made is not good enough: the step, or one before it, was asked for again."""
    names = [one.name for one in run.steps]
    first = run.request.from_step
    after = first in names and step.name in names and names.index(step.name) >= names.index(first)
    return after or not step.cached


def _report(step: StepDefinition, context: Context, outputs: dict[str, Any], *, cached: bool) -> None:
    if context.reporter.state in _FINISHED:
        return  # said before the power went
    typed = msgspec.convert(outputs, step.outputs)
    context.reporter.done(outputs, step.summary(typed), cached=cached, curve=step.curve(context, typed))
