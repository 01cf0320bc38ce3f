"""Checks of a dataset version: problems of labels, and what leaks from one side of a split to another."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.dataset_check import Example, Finding
from lineside.contract.gate import Level
from lineside.server.datasets.counted import some_of
from lineside.server.datasets.label_problems import problems
from lineside.server.datasets.pictures.near_duplicates import judge, pairs
from lineside.server.datasets.splitting import SHARES

if TYPE_CHECKING:
    from lineside.server.datasets.pictures.patches import Patch

_EXAMPLES = 20


@dataclass(frozen=True)
class Meaning:
    """What a finding says, and whether it blocks."""

    level: Level
    message: str


MEANINGS: dict[str, Meaning] = {
    "check.leak_group": Meaning(Level.BLOCK, "A group is on more than one side: scores will be too good."),
    "check.leak_picture": Meaning(Level.BLOCK, "A picture is on more than one side: scores will be too good."),
    "check.leak_near_duplicate": Meaning(
        Level.BLOCK, "Photographs of the same thing are on more than one side: scores will be too good."
    ),
    "check.labels_contradict": Meaning(Level.BLOCK, "Boxes at one place, or of one picture, contradict each other."),
    "check.box_outside": Meaning(Level.BLOCK, "A box reaches over the edge of its image."),
    "check.box_doubled": Meaning(Level.WARN, "One object is boxed twice."),
    "check.box_tiny": Meaning(Level.WARN, "A box is so small that it may be a slip of the hand."),
}
"""Add a row to add a check; docs/datasets.md shows the table."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What checks need to know of an image beside its labels."""

    position: int
    digest: str
    file_name: str
    group: str | None
    side: Split


@dataclass
class Findings:
    """Collects findings by code, with the positions of the images they are about."""

    positions: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _examples: dict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))

    def add(self, code: str, images: Sequence[Judged], detail: str) -> None:
        """Count one problem of one or several images."""
        self._counts[code] += 1
        self.positions[code] |= {image.position for image in images}
        if len(self._examples[code]) < _EXAMPLES:
            first = images[0]
            self._examples[code].append(Example(digest=first.digest, file_name=first.file_name, detail=detail))

    def found(self) -> tuple[Finding, ...]:
        """The findings, those that block first."""
        return tuple(
            Finding(
                code=code,
                level=meaning.level,
                message=meaning.message,
                count=self._counts[code],
                images=len(self.positions[code]),
                examples=tuple(self._examples[code]),
            )
            for code, meaning in MEANINGS.items()
            if code in self._counts
        )


def judged(images: Iterable[tuple[int, ImageRecord]], findings: Findings) -> Iterator[Judged]:
    """What leaks are looked for in, image by image; problems of labels are found on the way."""
    labels: dict[str, tuple[Judged, bytes]] = {}
    for position, record in images:
        image = Judged(position, record.digest, record.file_name, record.group, record.split)
        for code, detail in problems(record):
            findings.add(code, [image], detail)
        said = _labels(record)
        first, before = labels.setdefault(record.digest, (image, said))
        if before != said:
            detail = f"the same picture as {first.file_name}, with other boxes"
            findings.add("check.labels_contradict", [image, first], detail)
        yield image


def _labels(record: ImageRecord) -> bytes:
    places = sorted((box.label, box.x, box.y, box.width, box.height) for box in record.boxes)
    return hashlib.blake2b(repr(places).encode(), digest_size=16).digest()


def at_random(images: Sequence[Judged]) -> list[Split]:
    """A side for each image by its name's hash, in the usual shares: what a split without a thought for groups does."""
    order = sorted(range(len(images)), key=lambda at: hashlib.sha256(images[at].file_name.encode()).digest())
    sides = [Split.TRAIN] * len(images)
    start = 0.0
    for side, share in SHARES.items():
        for at in order[round(start * len(images)) : round((start + share) * len(images))]:
            sides[at] = side
        start += share
    return sides


def leaks(images: Sequence[Judged], sides: Sequence[Split], patches: Sequence[Patch], findings: Findings) -> None:
    """Groups, pictures and near-duplicates that lie on more than one side. `patches` by position in `images`; the
    last ones may have none."""
    _divided("check.leak_group", images, sides, lambda image: image.group, findings)
    _divided("check.leak_picture", images, sides, lambda image: image.digest, findings)
    found = pairs(patches)
    level, _ = judge(len(images), found)
    for first, second, score in found:
        one, other = images[first], images[second]
        told = one.digest == other.digest or (one.group is not None and one.group == other.group)
        if score >= level and sides[first] is not sides[second] and not told:
            detail = f"{sides[first].value}; {other.file_name} in {sides[second].value} correlates by {score:.2f}"
            findings.add("check.leak_near_duplicate", [one, other], detail)


def _divided(
    code: str,
    images: Sequence[Judged],
    sides: Sequence[Split],
    key_of: Callable[[Judged], str | None],
    findings: Findings,
) -> None:
    by_key: dict[str, list[int]] = defaultdict(list)
    for at, image in enumerate(images):
        key = key_of(image)
        if key is not None:
            by_key[key].append(at)
    for key, places in by_key.items():
        names = {side: [images[at].file_name for at in places if sides[at] is side] for side in Split}
        if sum(map(bool, names.values())) > 1:
            said = "; ".join(f"{side.value}: {some_of(found)}" for side, found in names.items() if found)
            detail = f"group {key}: {said}" if code == "check.leak_group" else said
            findings.add(code, [images[at] for at in places], detail)
