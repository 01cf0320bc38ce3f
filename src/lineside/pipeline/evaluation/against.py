"""Candidate against champion on the same pictures: the difference of their scores, with an interval of its own.

Both are scored on the same drawings of the same pictures (a paired bootstrap): what makes a drawing hard is hard for
both, and so the difference is known far better than either score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from lineside.contract.dataset import ImageRecord
from lineside.contract.evaluation import ClassDelta, Comparison
from lineside.pipeline.evaluation.intervals import RESAMPLES, draws, estimate
from lineside.pipeline.evaluation.matching import ALL, match
from lineside.pipeline.evaluation.mistakes import Shown, disagreements
from lineside.pipeline.evaluation.precision import averages
from lineside.pipeline.metrics import Detections


@dataclass(frozen=True, kw_only=True)
class Rival:
    """One of the two: its labels, and what it found, down to the unsure; `shown` is what a device would publish."""

    labels: tuple[str, ...]
    found: Detections
    shown: Shown


def compare(
    images: Sequence[ImageRecord],
    classes: Sequence[str],
    candidate: Rival,
    champion: Rival,
    *,
    label: str,
    digest: str,
    side: str,
    resamples: int = RESAMPLES,
) -> Comparison | None:
    """Compare on the classes that both know; None when there is none, or nothing to find on these pictures."""
    common = [one for one in classes if one in candidate.labels and one in champion.labels]
    shared = [_only(image, common) for image in images]
    ours, theirs = (match(shared, common, one.found)[ALL] for one in (candidate, champion))
    weights = draws(len(images), resamples)
    new, old = averages(ours, weights), averages(theirs, weights)
    new50, new_map = new.overall()
    old50, old_map = old.overall()
    pictures = int(np.count_nonzero(sum(one.boxes for one in ours))) if ours else 0
    if not pictures:
        return None
    return Comparison(
        champion=label,
        digest=digest,
        side=side,
        images=len(images),
        candidate_map=estimate(new_map, pictures).value,
        champion_map=estimate(old_map, pictures).value,
        map=estimate(new_map - old_map, pictures),
        map50=estimate(new50 - old50, pictures),
        classes=tuple(
            ClassDelta(
                label=one.label,
                candidate=round(float(new.map[0, place]), 6),
                champion=round(float(old.map[0, place]), 6),
                difference=estimate(new.map[:, place] - old.map[:, place], int(np.count_nonzero(one.boxes))),
                images=int(np.count_nonzero(one.boxes)),
            )
            for place, one in enumerate(ours)
            if one.boxes.any()
        ),
        only_candidate=tuple(one for one in candidate.labels if one not in champion.labels),
        only_champion=tuple(one for one in champion.labels if one not in candidate.labels),
        disagreements=disagreements(shared, _among(candidate.shown, common), _among(champion.shown, common)),
    )


def _only(image: ImageRecord, labels: Sequence[str]) -> ImageRecord:
    return msgspec.structs.replace(image, boxes=tuple(box for box in image.boxes if box.label in labels))


def _among(shown: Shown, labels: Sequence[str]) -> Shown:
    return {digest: [one for one in all_ if one.label in labels] for digest, all_ in shown.items()}
