"""The evaluation of one model file: every side, the threshold, mistakes to look at, and the champion beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from lineside.contract.dataset import ImageRecord
from lineside.contract.evaluation import Comparison, Evaluation, Side, Threshold
from lineside.contract.model import Signature
from lineside.contract.result import Detection
from lineside.pipeline.evaluation.against import Rival, compare
from lineside.pipeline.evaluation.intervals import RESAMPLES
from lineside.pipeline.evaluation.mistakes import Shown, worst_false_alarms, worst_misses
from lineside.pipeline.evaluation.scores import side_of
from lineside.pipeline.scoring import Found
from lineside.pipeline.step import Context
from lineside.runtime.decode import decode

_SMALL = (64, 64)  # pixels in which a picture's brightness is measured


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A set of labelled pictures to score on; `left_out` counts those the model was trained on."""

    name: str  # test, field, or what was asked for
    dataset: str
    classes: tuple[str, ...]
    images: Sequence[ImageRecord]
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """One of the two models: its file, the signature it ships with, and what it found, down to the unsure."""

    label: str  # name:version; empty for a candidate that has no version yet
    digest: str
    signature: Signature
    found: Found

    @property
    def shown(self) -> Shown:
        """What a device would publish."""
        least = self.signature.score_threshold
        return {digest: [one for one in all_ if one.confidence >= least] for digest, all_ in self.found.items()}


def evaluate(
    context: Context,
    candidate: Scorer,
    sides: Sequence[Pictures],
    *,
    threshold: Threshold | None = None,
    no_threshold: str = "",
    champion: Scorer | None = None,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Everything about a model on these sides, whose pictures are on this disk; mistakes are those on the first."""
    shown = candidate.shown
    scored: list[Side] = []
    compared: list[Comparison] = []
    for side in sides:
        context.reporter.progress(0.5, f"{side.name}: intervals over {len(side.images)} pictures")
        luma = brightness(context, side.images)
        scored.append(
            side_of(
                side.name,
                side.dataset,
                side.images,
                side.classes,
                candidate.found,
                luma,
                left_out=side.left_out,
                resamples=resamples,
            )
        )
        told = None if champion is None else _compare(side, candidate, champion, resamples)
        compared += [] if told is None else [told]
    first = sides[0].images if sides else ()
    return Evaluation(
        model=candidate.digest,
        labels=candidate.signature.labels,
        sides=tuple(scored),
        threshold=threshold,
        no_threshold=no_threshold or msgspec.UNSET,
        missed=worst_misses(first, shown),
        false_alarms=worst_false_alarms(first, shown),
        comparisons=tuple(compared),
        resamples=resamples,
    )


def brightness(context: Context, images: Sequence[ImageRecord]) -> dict[str, float]:
    """Mean luma 0..255 of each picture, by digest."""
    return {image.digest: _luma(context.images.path(image.digest).read_bytes()) for image in images}


def _luma(data: bytes) -> float:
    picture = decode(data, _SMALL)
    return float(np.asarray(picture.image.resize(_SMALL, box=picture.region).convert("L")).mean())


def _compare(side: Pictures, candidate: Scorer, champion: Scorer, resamples: int) -> Comparison | None:
    return compare(
        side.images,
        side.classes,
        _rival(candidate),
        _rival(champion),
        label=champion.label,
        digest=champion.digest,
        side=side.name,
        resamples=resamples,
    )


def _rival(scorer: Scorer) -> Rival:
    found: dict[str, tuple[Detection, ...]] = scorer.found
    return Rival(labels=scorer.signature.labels, found=found, shown=scorer.shown)
