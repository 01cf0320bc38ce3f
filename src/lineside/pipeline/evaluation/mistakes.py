"""Pictures to look at: the worst misses and false alarms of one model, and where two models disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineside.contract.dataset import ImageRecord
from lineside.contract.evaluation import Disagreement, Mistake
from lineside.contract.result import Detection
from lineside.pipeline.evaluation.boxes import Wrong, wrong

SHOWN = 12
"""Pictures of each kind."""

Shown = Mapping[str, Sequence[Detection]]
"""What a device would publish, by image digest."""


def worst_misses(images: Sequence[ImageRecord], shown: Shown) -> tuple[Mistake, ...]:
    """The pictures with the most boxes that were not found; among equals, with the largest one first."""

    def rank(image: ImageRecord, mistakes: Wrong) -> tuple[float, ...]:
        sizes = [image.boxes[place].width * image.boxes[place].height for place in mistakes.missed]
        return -len(sizes), -max(sizes) / (image.width * image.height)

    judged = [(image, wrong(image.boxes, shown[image.digest])) for image in images]
    found = [(rank(image, one), image, one) for image, one in judged if one.missed]
    found.sort(key=lambda row: (*row[0], row[1].digest))
    return tuple(
        _mistake(image, shown, one, f"{len(one.missed)} of {len(image.boxes)} boxes not found")
        for _, image, one in found[:SHOWN]
    )


def worst_false_alarms(images: Sequence[ImageRecord], shown: Shown) -> tuple[Mistake, ...]:
    """The pictures with the most confident detections of nothing."""
    judged = [(image, wrong(image.boxes, shown[image.digest])) for image in images]
    found = [
        (max(shown[image.digest][place].confidence for place in one.false_alarms), image, one)
        for image, one in judged
        if one.false_alarms
    ]
    found.sort(key=lambda row: (-row[0], row[1].digest))
    return tuple(
        _mistake(image, shown, one, f"nothing is there, with a confidence of {confidence:.2f}")
        for confidence, image, one in found[:SHOWN]
    )


def disagreements(images: Sequence[ImageRecord], candidate: Shown, champion: Shown) -> tuple[Disagreement, ...]:
    """Pictures on which the two are not wrong about the same things: what the candidate lost comes first."""
    found = []
    for image in images:
        ours = wrong(image.boxes, candidate[image.digest])
        theirs = wrong(image.boxes, champion[image.digest])
        lost = len(set(ours.missed) - set(theirs.missed))
        won = len(set(theirs.missed) - set(ours.missed))
        alarms = len(ours.false_alarms) - len(theirs.false_alarms)
        if lost or won or alarms:
            found.append(((-lost, -max(alarms, 0), -won, alarms), image, _words(lost, won, alarms)))
    found.sort(key=lambda row: (*row[0], row[1].digest))
    return tuple(
        Disagreement(
            image=image.digest,
            file_name=image.file_name,
            width=image.width,
            height=image.height,
            truth=image.boxes,
            candidate=tuple(candidate[image.digest]),
            champion=tuple(champion[image.digest]),
            reason=reason,
        )
        for _, image, reason in found[:SHOWN]
    )


def _words(lost: int, won: int, alarms: int) -> str:
    parts = []
    if lost:
        parts.append(f"{lost} found by the champion only")
    if won:
        parts.append(f"{won} found by the candidate only")
    if alarms:
        parts.append(f"{abs(alarms)} false alarm{'' if abs(alarms) == 1 else 's'} {'more' if alarms > 0 else 'fewer'}")
    return ", ".join(parts)


def _mistake(image: ImageRecord, shown: Shown, mistakes: Wrong, reason: str) -> Mistake:
    return Mistake(
        image=image.digest,
        file_name=image.file_name,
        width=image.width,
        height=image.height,
        truth=image.boxes,
        detections=tuple(shown[image.digest]),
        missed=mistakes.missed,
        false_alarms=mistakes.false_alarms,
        reason=reason,
    )
