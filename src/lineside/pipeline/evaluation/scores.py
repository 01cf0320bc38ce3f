"""The score on one set of pictures: overall, by class and by slice, each number with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lineside.contract.dataset import ImageRecord
from lineside.contract.evaluation import ClassScore, Side, Slice
from lineside.pipeline.evaluation.intervals import RESAMPLES, draws, estimate
from lineside.pipeline.evaluation.matching import ALL, AREAS, ClassMatches, Matches, Whole, match
from lineside.pipeline.evaluation.precision import averages
from lineside.pipeline.metrics import Detections

MOST_GROUPS = 40
"""Slices by group: those with the most pictures."""
THIRDS = ("dark", "middle", "bright")
_LEAST_FOR_THIRDS = 6  # pictures

Brightness = Mapping[str, float]
"""Mean luma 0..255 by image digest."""


def side_of(
    name: str,
    dataset: str,
    images: Sequence[ImageRecord],
    classes: Sequence[str],
    found: Detections,
    brightness: Brightness,
    *,
    left_out: int = 0,
    resamples: int = RESAMPLES,
) -> Side:
    """Score what was found on these pictures; without `brightness` there are no slices by it."""
    matches = match(images, classes, found)
    every = matches[ALL]
    table = averages(every, draws(len(images), resamples))
    map50, map_ = table.overall()
    with_boxes = _pictures(every)
    return Side(
        name=name,
        dataset=dataset,
        images=len(images),
        boxes=sum(int(one.boxes.sum()) for one in every),
        map50=estimate(map50, with_boxes),
        map=estimate(map_, with_boxes),
        classes=tuple(
            ClassScore(
                label=one.label,
                map=estimate(table.map[:, place], int(np.count_nonzero(one.boxes))),
                images=int(np.count_nonzero(one.boxes)),
                boxes=int(one.boxes.sum()),
            )
            for place, one in enumerate(every)
            if one.boxes.any()
        ),
        slices=(
            *_groups(images, every, resamples),
            *_thirds(images, every, brightness, resamples),
            *_sizes(matches, resamples),
        ),
        left_out=left_out,
    )


def _groups(images: Sequence[ImageRecord], every: Sequence[ClassMatches], resamples: int) -> list[Slice]:
    members: dict[str, list[int]] = {}
    for place, image in enumerate(images):
        if image.group is not None:
            members.setdefault(image.group, []).append(place)
    if len(members) < 2:
        return []  # one group is the whole
    largest = sorted(members, key=lambda group: (-len(members[group]), group))[:MOST_GROUPS]
    return [_slice("group", group, every, np.array(members[group]), resamples) for group in sorted(largest)]


def _thirds(
    images: Sequence[ImageRecord], every: Sequence[ClassMatches], brightness: Brightness, resamples: int
) -> list[Slice]:
    luma = np.array([brightness.get(image.digest, np.nan) for image in images])
    if len(images) < _LEAST_FOR_THIRDS or np.isnan(luma).any():
        return []
    order = np.argsort(luma, kind="stable")
    return [
        _slice("brightness", name, every, part, resamples, (float(luma[part].min()), float(luma[part].max())))
        for name, part in zip(THIRDS, np.array_split(order, len(THIRDS)), strict=True)
    ]


def _sizes(matches: Matches, resamples: int) -> list[Slice]:
    slices = []
    for name, (low, high) in AREAS.items():
        if name == ALL or not any(one.boxes.any() for one in matches[name]):
            continue
        everywhere = np.arange(len(matches[name][0].boxes))
        slices.append(_slice("size", name, matches[name], everywhere, resamples, (low, high)))
    return slices


def _slice(
    kind: str,
    name: str,
    every: Sequence[ClassMatches],
    members: Whole,
    resamples: int,
    bounds: tuple[float, float] | None = None,
) -> Slice:
    among = [one.only(members) for one in every]
    with_boxes = _pictures(among)
    map50, map_ = averages(among, draws(len(members), resamples)).overall()
    low, high = (None, None) if bounds is None else bounds
    return Slice(
        kind=kind,
        name=name,
        images=with_boxes if kind == "size" else len(members),
        boxes=sum(int(one.boxes.sum()) for one in among),
        map50=estimate(map50, with_boxes),
        map=estimate(map_, with_boxes),
        low=None if low is None else round(low, 2),
        high=None if high is None else round(high, 2),
    )


def _pictures(every: Sequence[ClassMatches]) -> int:
    """On how many pictures there is a box."""
    return int(np.count_nonzero(sum(one.boxes for one in every))) if every else 0
