"""Who the champion is, and what it finds: run once on the same pictures, through the code that runs on devices."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineside.contract.dataset import ImageRecord
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.ids import content_digest
from lineside.contract.model import ModelVersion, Signature
from lineside.contract.run import CachedStep
from lineside.pipeline.code import source_digest
from lineside.pipeline.control import Control
from lineside.pipeline.scoring import Found, find
from lineside.pipeline.step import Context


class Champion(msgspec.Struct, frozen=True, kw_only=True):
    """The version that a candidate must not fall behind, and how to run it."""

    label: str  # name:version
    digest: str
    signature: Signature


def champion_of(control: Control, name: str) -> Champion | None:
    """What `NAME@champion` means now: where people pointed it, else the newest approved version; None without one."""
    try:
        model = control.find_model(f"{name}@champion")
    except LinesideError as error:
        if error.kind is Kind.MISSING:
            return None
        raise
    return Champion(label=model.label, digest=model.digest, signature=signature_of(model))


def signature_of(model: ModelVersion) -> Signature:
    """How the chosen variant's file is fed."""
    chosen = next((variant for variant in model.variants if variant.digest == model.digest), None)
    return model.signature if chosen is None or chosen.signature is None else chosen.signature


def found_by(context: Context, name: str, digest: str, signature: Signature, images: Sequence[ImageRecord]) -> Found:
    """What a model file finds on these pictures; what it found there before is not looked for again."""
    key = content_digest(
        {
            "schema": "lineside.found/1",
            "code": source_digest("lineside.runtime"),
            "model": digest,
            "signature": msgspec.structs.replace(signature, score_threshold=0.0),
            "images": [image.digest for image in images],
        }
    )
    known = context.control.cached_step(key)
    if known is not None:
        return context.blobs.value(known.outputs["found"], Found)
    found = find(context, name, context.blobs.path(digest), signature, images)
    outputs = {"found": context.blobs.put_value(found)}
    context.control.cache_step(CachedStep(key=key, outputs=outputs, run=context.run))
    return found
