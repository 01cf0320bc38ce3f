"""register: the model version with metrics, evaluation, gates, lineage, golden sets, baseline, pictures to look at."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.gate import GateSpec
from lineside.contract.model import GateResult, Lineage, ModelState, RegisterModel, Signature, Variant
from lineside.contract.run import RunRequest
from lineside.contract.twin import PROFILES, Profile
from lineside.pipeline import evidence, gates
from lineside.pipeline.evaluation.candidate import Candidate, Material, examine
from lineside.pipeline.evaluation.champion import champion_of
from lineside.pipeline.parameters import Limits, limits_of
from lineside.pipeline.scoring import Found, Scored
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import check, collect, evaluate, optimize, train
from lineside.runtime import model as runtime_model

_AS_IT_CAME = (
    "The file as it was imported. It came without a dataset, so there were no pictures to calibrate INT8 on, "
    "and none to compare anything smaller on."
)


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """The variants, exactly one chosen; where they came from; the limits, gates and targets to judge by.

    `material` is what the chosen variant is evaluated on; None for a model that was not scored.
    """

    name: str
    signature: Signature
    variants: tuple[Variant, ...]
    material: Material | None
    lineage: Lineage
    limits: Limits
    gates: tuple[GateSpec, ...] = ()
    targets: tuple[Profile, ...] = ()


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The model version, and the gates it met."""

    name: str
    model_version: int
    digest: str
    variant: str
    state: ModelState
    gates: tuple[GateResult, ...]
    note: str = ""  # what whoever started the run should know


def inputs(request: RunRequest, results: Results) -> Inputs:
    """What was optimized; or the imported file, where there was no dataset to score and optimize it on."""
    scored = results.of("optimize", optimize.Outputs).variants if results.has("optimize") else (_imported(results),)
    variants = tuple(one.variant for one in scored)
    found = next(one.found for one in scored if one.variant.chosen) or None
    made = results.of("evaluate", evaluate.Outputs) if results.has("evaluate") else results.of("check", check.Outputs)
    return Inputs(
        name=request.model,
        signature=made.signature,
        variants=variants,
        material=None if found is None else _material(request, results, found),
        lineage=_lineage(request, results),
        limits=limits_of(request),
        gates=request.gates,
        targets=tuple(PROFILES[name] for name in request.targets),
    )


def complete(context: Context, given: Inputs) -> Inputs:
    """Who the champion is now. The same file as the champion's is not held against itself.

    A version that was judged against another champion is another version.
    """
    champion = champion_of(context.control, given.name) if given.material else None
    if given.material is None or champion is None or champion.digest == _chosen(given.variants).digest:
        return given
    parameters = given.lineage.parameters | {"champion": champion.label}
    return msgspec.structs.replace(
        given,
        material=msgspec.structs.replace(given.material, champion=champion),
        lineage=msgspec.structs.replace(given.lineage, parameters=parameters),
    )


def register(context: Context, given: Inputs) -> Outputs:
    """Judge the version and register it: all of it, or nothing. The same content again is the version that is there."""
    chosen = _chosen(given.variants)
    signature = chosen.signature or given.signature
    candidate = examine(context, given.material, chosen, signature) if given.material else None
    if candidate is not None:
        signature = candidate.signature
    tested, recent = (candidate.tested, candidate.recent) if candidate else ((), ())
    answers = evidence.confident(candidate.found if candidate else {}, signature.score_threshold)
    variants = tuple(
        _shipped(context, variant, given.signature, signature, candidate, answers) for variant in given.variants
    )
    chosen = _chosen(variants)
    model = runtime_model.load(context.blobs.path(chosen.digest), signature, threads=context.threads)
    evaluation = candidate.evaluation if candidate else None
    facts = gates.Facts(
        variants=variants,
        limits=given.limits,
        gates=given.gates,
        targets=given.targets,
        evaluation=evaluation,
        champion=_held_against(given.material),
    )
    version = context.control.register_model(
        RegisterModel(
            name=given.name,
            signature=signature,
            variants=variants,
            gates=gates.judge(facts),
            lineage=given.lineage,
            golden=chosen.golden or evidence.golden(context, model, tested, answers, chosen.name),
            baseline=evidence.baseline(context, model, [*tested, *recent]) if tested else None,
            predictions=evidence.predictions(context, tested, answers) if tested else None,
            evaluation=None if evaluation is None else context.blobs.put_value(evaluation),
        )
    )
    return Outputs(
        name=version.name,
        model_version=version.version,
        digest=version.digest,
        variant=version.variant,
        state=version.state,
        gates=version.gates,
        note=(evaluation.no_threshold or "") if evaluation else "",
    )


def _held_against(material: Material | None) -> str | None:
    return None if material is None or material.champion is None else material.champion.label


def _chosen(variants: tuple[Variant, ...]) -> Variant:
    return next(variant for variant in variants if variant.chosen)


def _shipped(
    context: Context,
    variant: Variant,
    trained: Signature,
    version: Signature,
    candidate: Candidate | None,
    answers: Found,
) -> Variant:
    """A variant with every score, a golden set of its own, and a signature where it is not the version's."""
    signature = msgspec.structs.replace(variant.signature or trained, score_threshold=version.score_threshold)
    model = runtime_model.load(context.blobs.path(variant.digest), signature, threads=context.threads)
    return msgspec.structs.replace(
        variant,
        signature=None if signature == version else signature,
        golden=evidence.golden(context, model, candidate.tested if candidate else (), answers, variant.name),
        metrics=candidate.metrics if candidate is not None and variant.chosen else variant.metrics,
    )


def _material(request: RunRequest, results: Results, found: str) -> Material:
    collected = results.of("collect", collect.Outputs)
    return Material(
        dataset=collected.dataset,
        classes=collected.classes,
        records=collected.records,
        found=found,
        field=request.field,
        cost=request.cost,
    )


def _imported(results: Results) -> Scored:
    """The file as it came, scored or not; a run that was queued by older code has no step that optimizes."""
    if results.has("evaluate"):
        scored = results.of("evaluate", evaluate.Outputs).scored
        variant = msgspec.structs.replace(scored.variant, chosen=True, reason="The file as it was imported.")
        return msgspec.structs.replace(scored, variant=variant)
    checked = results.of("check", check.Outputs)
    variant = Variant(name="fp32", digest=checked.model, size=checked.size, chosen=True, reason=_AS_IT_CAME)
    return Scored(variant=variant, found="")


def _lineage(request: RunRequest, results: Results) -> Lineage:
    """The run and code that made the weights, not those that only found them in the cache.

    Limits and gates count among the parameters: the same weights judged otherwise are another model version.
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
        parameters=parameters | msgspec.to_builtins(limits_of(request)) | _judged_by(request),
        seed=request.seed,
        code_version=made.code_version,
    )


def _judged_by(request: RunRequest) -> dict[str, Any]:
    """What a run asked for beside its parameters; nothing for one that asked for nothing."""
    asked = {"gates": request.gates, "targets": request.targets, "cost": request.cost, "field": request.field}
    plain: dict[str, Any] = msgspec.to_builtins({name: value for name, value in asked.items() if value})
    return plain


def _summary(done: Outputs) -> str:
    told = f"{done.name}:{done.model_version}, {done.variant}, {done.state.value.replace('_', ' ')}"
    return f"{told}. {done.note}" if done.note else told


STEP = StepDefinition(
    name="register",
    inputs=inputs,
    perform=register,
    summary=lambda done: f"{done.name}:{done.model_version}, {done.variant}, {done.state.value}. {done.note}".rstrip(
        ". "
    ),
    outputs=Outputs,
    complete=complete,
    code=lambda given: (
        __name__,
        "lineside.pipeline.classes",
        "lineside.pipeline.gates",
        "lineside.pipeline.evaluation",
        "lineside.pipeline.evidence",
        "lineside.pipeline.metrics",
        "lineside.runtime",
    ),
)
