"""check: a model made elsewhere runs on the runtime, with the head and the labels that are claimed for it."""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.contract.run import RunRequest
from lineside.pipeline.code import code_version
from lineside.pipeline.elsewhere import signature_of, written_in
from lineside.pipeline.one_input import SIZES, one_input
from lineside.pipeline.pictures import sample_pictures
from lineside.pipeline.scoring import SCORE_THRESHOLD
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.steps import collect
from lineside.runtime import model as runtime_model
from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine
from lineside.runtime.heads import HEADS


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """The model file (a blob), what is claimed for it, and the classes it will be scored on, if any."""

    model: str
    head: str
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    feed: dict[str, Any] = {}


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The model file (with one input, see `pipeline.one_input`) with the signature it runs under; which run checked it,
    with which code."""

    model: str
    size: int
    signature: Signature
    run: str
    code_version: str


class _Claim(msgspec.Struct, frozen=True):
    head: str
    labels: tuple[str, ...]
    feed: dict[str, Any] = {}


def inputs(request: RunRequest, results: Results) -> Inputs:
    """Errors: run.request_incomplete, model.head_unknown, check.no_common_label."""
    claim = _claim(request)
    if request.init is None:
        raise LinesideError("run.request_incomplete", kind=request.kind, what="a model file")
    if claim.head not in HEADS:
        raise LinesideError("model.head_unknown", head=claim.head, known=", ".join(sorted(HEADS)))
    classes = results.of("collect", collect.Outputs).classes if results.has("collect") else ()
    if classes and not set(classes) & set(claim.labels):
        raise LinesideError(
            "check.no_common_label", classes=", ".join(classes), labels=", ".join(claim.labels[:10]) + " …"
        )
    return Inputs(model=request.init, head=claim.head, labels=claim.labels, classes=classes, feed=claim.feed)


def check(context: Context, given: Inputs) -> Outputs:
    """Run it on made-up pictures; errors: check.input_shape, check.feed_unknown, and those of the runtime."""
    digest, file = given.model, context.blobs.path(given.model)
    context.reporter.progress(0.5, "running it on made-up pictures")
    data = file.read_bytes()
    ports = OnnxRuntimeEngine(data, threads=1).inputs
    seen = tuple(port for port in ports if port.name != SIZES)
    signature = signature_of(given.head, given.labels, seen, given.feed, written_in(data, given.head))
    if len(seen) < len(ports):
        digest = context.blobs.put(one_input(data, signature))
        file = context.blobs.path(digest)
    model = runtime_model.load(file, signature, threads=context.threads)
    for picture in sample_pictures(signature.input_width, signature.input_height):
        model.detect(picture, score_threshold=SCORE_THRESHOLD)
    return Outputs(
        model=digest,
        size=file.stat().st_size,
        signature=signature,
        run=context.run,
        code_version=code_version(),
    )


def _claim(request: RunRequest) -> _Claim:
    try:
        return msgspec.convert(request.parameters, _Claim)
    except msgspec.ValidationError as failure:
        raise LinesideError("run.request_incomplete", kind=request.kind, what=f"head and labels ({failure})") from None


STEP = StepDefinition(
    name="check",
    inputs=inputs,
    perform=check,
    summary=lambda done: (
        f"{done.signature.head}, {done.signature.input_width} x {done.signature.input_height}, "
        f"{len(done.signature.labels)} labels: it runs"
    ),
    outputs=Outputs,
    code=lambda given: (__name__, "lineside.runtime", "lineside.pipeline.elsewhere", "lineside.pipeline.one_input"),
)
