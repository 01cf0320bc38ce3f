"""Does one step of one run: asks whether it was done before, works, remembers, reports."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.run import CachedStep, Run, RunState, StepState
from lineside.pipeline.reporter import RunCancelled
from lineside.pipeline.step import Context, Results, StepDefinition, key_of

_FINISHED = (StepState.DONE, StepState.CACHED, StepState.SKIPPED)
_logger = logging.getLogger(__name__)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a step ended: with outputs, with nothing to do (both None), with an error, or because the run was stopped."""

    outputs: dict[str, Any] | None = None
    error: ErrorReport | None = None
    cancelled: bool = False


def execute(step: StepDefinition, run: Run, results: Results, context: Context) -> Outcome:
    """Do a step, or find what it made before; a failed step is an outcome, too.

    A power cut at any line leads here again, to the same outcome.
    """
    if run.state is RunState.CANCELLED:
        return Outcome(cancelled=True)
    try:
        return Outcome(outputs=_outputs(step, run, results, context))
    except RunCancelled:
        return Outcome(cancelled=True)
    except LinesideError as error:
        if context.control.run(run.id).state is RunState.CANCELLED:
            return Outcome(cancelled=True)
        _logger.exception("run %s: the step %s failed", run.id, step.name)
        return _failed(context, error)
    except Exception as failure:  # the boundary: whatever a step raises ends its run, not the worker
        _logger.exception("run %s: the step %s failed", run.id, step.name)
        return _failed(
            context, LinesideError("run.step_failed", step=step.name, why=f"{type(failure).__name__}: {failure}")
        )


def _failed(context: Context, error: LinesideError) -> Outcome:
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
    if known is not None:
        _report(step, context, known.outputs, cached=known.run != run.id)
        return known.outputs
    context.reporter.begin()
    outputs: dict[str, Any] = msgspec.to_builtins(step.perform(context, inputs))
    context.control.cache_step(CachedStep(key=key, outputs=outputs, run=run.id))
    _report(step, context, outputs, cached=False)
    return outputs


def _report(step: StepDefinition, context: Context, outputs: dict[str, Any], *, cached: bool) -> None:
    if context.reporter.state in _FINISHED:
        return  # said before the power went
    typed = msgspec.convert(outputs, step.outputs)
    context.reporter.done(outputs, step.summary(typed), cached=cached, curve=step.curve(context, typed))
