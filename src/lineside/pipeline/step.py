"""What a step of the pipeline is: one function from typed inputs to typed outputs, and what names its result.

inputs(request, results)  what the step needs, from the request and from the steps before it; None: nothing to do
complete(context, inputs) what only the control plane knows, asked just before: it counts in the key, too
perform(context, inputs)  the work
code(inputs)              the modules whose sources count; with the inputs they are the key of the result
curve(context, outputs)   the curves to show beside the outputs, also when they were made by an earlier run
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lineside.contract.ids import content_digest
from lineside.contract.run import CurvePoint, RunRequest
from lineside.pipeline.blobs import Blobs
from lineside.pipeline.code import source_digest
from lineside.pipeline.control import Control
from lineside.pipeline.kept import Keeper
from lineside.pipeline.reporter import StepReporter

O = TypeVar("O", bound=msgspec.Struct)  # noqa: E741 - an output


@dataclass(frozen=True, kw_only=True)
class Context:
    """Where a step works: its run, the control plane, blobs on disk, a folder of the run's own, and CPU threads."""

    run: str
    control: Control
    blobs: Blobs
    images: Blobs
    folder: Path
    reporter: StepReporter
    threads: int
    kept: Keeper
    pause: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = print  # a line of the step's log that was printed elsewhere


class Results:
    """Outputs of the steps before, by step."""

    def __init__(self, outputs: Mapping[str, dict[str, Any]]) -> None:
        self._outputs = outputs

    def has(self, step: str) -> bool:
        """Whether the step was done and not skipped."""
        return step in self._outputs

    def plain(self, step: str) -> dict[str, Any]:
        """The outputs of a step as they are stored; empty when it was not done."""
        return self._outputs.get(step, {})

    def of(self, step: str, kind: type[O]) -> O:
        """The outputs of a step that was done."""
        return msgspec.convert(self._outputs[step], kind)


@dataclass(frozen=True, kw_only=True)
class StepDefinition:
    """One row of the pipeline; `summary` is the sentence shown when the step is done."""

    name: str
    inputs: Callable[[RunRequest, Results], Any]
    perform: Callable[[Context, Any], Any]
    summary: Callable[[Any], str]
    outputs: type[msgspec.Struct]
    code: Callable[[Any], tuple[str, ...]]
    curve: Callable[[Context, Any], tuple[CurvePoint, ...]] = lambda context, outputs: ()
    cached: bool = True  # False: done again in every run
    complete: Callable[[Context, Any], Any] = lambda context, inputs: inputs


def key_of(step: StepDefinition, inputs: Any) -> str:
    """The name of a step's result: the same code on the same inputs, parameters and seed among them."""
    return content_digest({"step": step.name, "code": source_digest(*step.code(inputs)), "inputs": inputs})
