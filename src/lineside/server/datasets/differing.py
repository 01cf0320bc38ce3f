"""What differs between two dataset versions, image by image."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from lineside.contract.dataset import Box, ImageRecord
from lineside.contract.dataset_check import Change


class Place(NamedTuple):
    """Where an image is in its version, and what of it is compared: its side, and its labels as `labels_digest`."""

    position: int
    side: str
    labels: str


class Difference(NamedTuple):
    """One change, with the image's position before and after."""

    change: Change
    before: int | None
    after: int | None


def places(images: Iterable[tuple[str, Place]]) -> dict[str, Place]:
    """Each picture of a version by its digest; of a picture with two names the first counts."""
    found: dict[str, Place] = {}
    for digest, place in images:
        found.setdefault(digest, place)
    return found


def labels_digest(image: ImageRecord) -> str:
    """What an image's labels come to, whatever order they were written in, 32 hex digits. Kept with each image."""
    said = sorted(
        msgspec.json.encode((box.label, *(value + 0.0 for value in _place(box)[1:]), box.source)) for box in image.boxes
    )
    return hashlib.blake2b(b"\n".join(said), digest_size=16).hexdigest()


def differences(before: dict[str, Place], after: dict[str, Place]) -> list[Difference]:
    """What became of the pictures: removed, added, other labels, another side; each kind in the versions' order."""
    removed = [Difference(Change.REMOVED, place.position, None) for key, place in before.items() if key not in after]
    added = [Difference(Change.ADDED, None, place.position) for key, place in after.items() if key not in before]
    both = [(place, after[key]) for key, place in before.items() if key in after]
    labels = [Difference(Change.LABELS, a.position, b.position) for a, b in both if a.labels != b.labels]
    sides = [Difference(Change.SIDE, a.position, b.position) for a, b in both if a.side != b.side]
    return [*added, *removed, *labels, *sides]


def detail(change: Change, before: ImageRecord | None, after: ImageRecord | None) -> str:
    """One change in words."""
    if before is None or after is None:
        image = before or after
        return f"{image.split.value}, {_counted(len(image.boxes))}" if image else ""
    if change is Change.SIDE:
        return f"{before.split.value} to {after.split.value}"
    return _labels(before.boxes, after.boxes)


def _labels(before: Sequence[Box], after: Sequence[Box]) -> str:
    gone, new = list((Counter(before) - Counter(after)).elements()), list((Counter(after) - Counter(before)).elements())
    said = [f"{sign}{box.label} {box.x:g}, {box.y:g}, {box.width:g} x {box.height:g}" for sign, some in
            (("-", gone), ("+", new)) for box in some]  # fmt: skip
    if sorted(map(_place, gone)) == sorted(map(_place, new)):
        return f"{_counted(len(new))} with another source"
    return "; ".join(said)


def _place(box: Box) -> tuple[str, float, float, float, float]:
    return box.label, box.x, box.y, box.width, box.height


def _counted(count: int) -> str:
    return "1 box" if count == 1 else f"{count} boxes"
