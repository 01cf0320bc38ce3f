"""register: the model version with metrics, gates, lineage, golden set, baseline and pictures to look at."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.model import GateResult, Lineage, ModelState, RegisterModel, Signature, Variant
from lineside.contract.run import RunRequest
from lineside.pipeline import evidence, gates
from lineside.pipeline.parameters import Limits, limits_of
from lineside.pipeline.scoring import Found
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import check, collect, evaluate, optimize, train
from lineside.runtime import model as runtime_model


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """The variants, exactly one chosen; where they came from; the limits to judge by.

    `found` is the blob with the chosen variant's detections on the test pictures, `records` that with the pictures;
    both are None for a model that was not scored.
    """

    name: str
    signature: Signature
    variants: tuple[Variant, ...]
    found: str | None
    records: str | None
    lineage: Lineage
    limits: Limits


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The model version, and the gates it met."""

    name: str
    model_version: int
    digest: str
    variant: str
    state: ModelState
    gates: tuple[GateResult, ...]


def inputs(request: RunRequest, results: Results) -> Inputs:
    """What was optimized; or the imported file, scored or not."""
    found: str | None
    if results.has("optimize"):
        evaluated = results.of("evaluate", evaluate.Outputs)
        scored = results.of("optimize", optimize.Outputs).variants
        chosen = next(one for one in scored if one.variant.chosen)
        variants, found, signature = tuple(one.variant for one in scored), chosen.found, evaluated.signature
    else:
        checked = results.of("check", check.Outputs)
        variants, found, signature = (_imported(results, checked),), _imported_found(results), checked.signature
    return Inputs(
        name=request.model,
        signature=signature,
        variants=variants,
        found=found,
        records=results.of("collect", collect.Outputs).records if results.has("collect") else None,
        lineage=_lineage(request, results),
        limits=limits_of(request),
    )


def register(context: Context, given: Inputs) -> Outputs:
    """Register the version: all of it, or nothing. The same content again is the version that is there."""
    tested = _tested(context, given)
    found = context.blobs.value(given.found, Found) if given.found else {}
    answers = evidence.confident(found, given.signature.score_threshold)
    chosen = next(variant for variant in given.variants if variant.chosen)
    model = runtime_model.load(context.blobs.path(chosen.digest), given.signature, threads=context.threads)
    version = context.control.register_model(
        RegisterModel(
            name=given.name,
            signature=given.signature,
            variants=given.variants,
            gates=gates.judge(gates.Facts(variants=given.variants, limits=given.limits)),
            lineage=given.lineage,
            golden=evidence.golden(context, model, tested, answers),
            baseline=evidence.baseline(context, model, tested) if tested else None,
            predictions=evidence.predictions(context, tested, answers) if tested else None,
        )
    )
    return Outputs(
        name=version.name,
        model_version=version.version,
        digest=version.digest,
        variant=version.variant,
        state=version.state,
        gates=version.gates,
    )


def _imported(results: Results, checked: check.Outputs) -> Variant:
    reason = "The file as it was imported."
    if results.has("evaluate"):
        variant = results.of("evaluate", evaluate.Outputs).scored.variant
        return msgspec.structs.replace(variant, chosen=True, reason=reason)
    return Variant(name="fp32", digest=checked.model, size=checked.size, chosen=True, reason=reason)


def _imported_found(results: Results) -> str | None:
    return results.of("evaluate", evaluate.Outputs).scored.found if results.has("evaluate") else None


def _lineage(request: RunRequest, results: Results) -> Lineage:
    """The run and code that made the weights, not those that only found them in the cache.

    The limits count among the parameters: the same weights judged by other limits are another model version.
    """
    collected = results.of("collect", collect.Outputs) if results.has("collect") else None
    trained = results.has("train")
    made = results.of("train", train.Outputs) if trained else results.of("check", check.Outputs)
    parameters: dict[str, Any] = train.inputs(request, results).parameters if trained else request.parameters
    return Lineage(
        dataset=collected.dataset if collected else None,
        dataset_digest=collected.dataset_digest if collected else None,
        split_by=collected.split_by if collected else None,
        run=made.run,
        trainer=request.trainer if trained else "imported",
        init=request.init,
        parameters=parameters | msgspec.to_builtins(limits_of(request)),
        seed=request.seed,
        code_version=made.code_version,
    )


def _tested(context: Context, given: Inputs) -> list[ImageRecord]:
    if given.records is None:
        return []
    tested = [record for record in collect.records_of(context, given.records) if record.split is Split.TEST]
    collect.fetch_images(context, tested)
    return tested


STEP = StepDefinition(
    name="register",
    inputs=inputs,
    perform=register,
    summary=lambda done: f"{done.name}:{done.model_version}, {done.variant}, {done.state.value}",
    outputs=Outputs,
    code=lambda given: (__name__, "lineside.pipeline.gates", "lineside.pipeline.evidence", "lineside.runtime"),
)
