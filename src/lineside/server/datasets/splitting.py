"""Splits: which side each image is on. Images that show the same thing are never on two sides."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lineside.contract.dataset import Split
from lineside.server.datasets.counted import Warnings, some_of
from lineside.server.datasets.pictures.near_duplicates import SAME, Pair, groups, judge, pairs

if TYPE_CHECKING:
    from lineside.server.datasets.pictures.patches import Patch

SHARES = {Split.TRAIN: 0.70, Split.VAL: 0.15, Split.TEST: 0.15}
"""How many of the images each side should get."""

_CERTAIN = 0.7  # correlation from which a leak in the data's own split is reported


@dataclass(frozen=True)
class Seen:
    """What splitting needs to know of an image; `name` is for warnings."""

    name: str
    digest: str
    patch: Patch
    group: str | None
    split: Split | None


@dataclass(frozen=True)
class Known:
    """What a series was told before: the side of pictures by digest, the side of groups by name, and the pictures of
    its earlier versions that are not among the images now, so that new ones are compared with them too."""

    pictures: Mapping[str, Split] = field(default_factory=dict)
    groups: Mapping[str, Split] = field(default_factory=dict)
    elsewhere: Sequence[Seen] = ()


@dataclass(frozen=True)
class Splitting:
    """The answer: `by` is "given", "group" or "near-duplicates"; group and side of each image by position."""

    by: str
    groups: tuple[str | None, ...]
    sides: tuple[Split, ...]


def divide(images: Sequence[Seen], warnings: Warnings, known: Known | None = None) -> Splitting:
    """The data's own split where every image has one; else by group; else by near-duplicates.

    What the series knows stays on its side, whatever the data says now.
    """
    known = known or Known()
    given = [image.split for image in images if image.split is not None]
    if given and len(given) < len(images):
        warnings.add("dataset.split_partial", f"{len(given)} of {len(images)} images")
    whole = len(given) == len(images)
    splitting = _given(images, given, warnings, known) if whole else _made(images, warnings, known)
    for side in sorted(set(Split) - set(splitting.sides), key=lambda side: side.value):
        warnings.add("dataset.split_empty", side.value)
    return splitting


def _given(images: Sequence[Seen], given: Sequence[Split], warnings: Warnings, known: Known) -> Splitting:
    sides = []
    for image, said in zip(images, given, strict=True):
        held = known.pictures.get(image.digest) or known.groups.get(image.group or "")
        if held not in (None, said):
            warnings.add("dataset.side_kept", f"{image.name}: {said.value} said, {held.value} kept")
        sides.append(held or said)
    report_leaks([replace(image, split=side) for image, side in zip(images, sides, strict=True)], warnings)
    return Splitting("given", tuple(image.group for image in images), tuple(sides))


def _made(images: Sequence[Seen], warnings: Warnings, known: Known) -> Splitting:
    named = [image.group for image in images if image.group is not None]
    if named and len(named) < len(images):
        warnings.add("dataset.group_partial", f"{len(named)} of {len(images)} images")
    by = "group" if len(named) == len(images) else "near-duplicates"
    everything = list(images) if by == "group" else [*images, *known.elsewhere]
    keys = named if by == "group" else _alike(everything, warnings)
    clusters = _together([image.digest for image in everything], keys)
    groups = known.groups if by == "group" else {}
    held = [known.pictures.get(image.digest) or groups.get(key) for image, key in zip(everything, keys, strict=True)]
    _report_meeting([image.name for image in everything], clusters, held, warnings)
    side_of = _sides(clusters, held, len(images), warnings)
    sides = [side or side_of[cluster] for side, cluster in zip(held, clusters, strict=True)]
    keys, sides = keys[: len(images)], sides[: len(images)]
    if by != "group":
        keys = _one_side_each([image.digest for image in images], keys, sides)
    return Splitting(by, tuple(keys), tuple(sides))


def _sides(clusters: Sequence[str], held: Sequence[Split | None], here: int, warnings: Warnings) -> dict[str, Split]:
    """The side of each cluster's new images; the first `here` positions are the images of now."""
    if len(set(clusters)) < len(Split):
        warnings.add("dataset.groups_few", f"{len(set(clusters))}")
    before: dict[str, Counter[Split]] = defaultdict(Counter)
    for cluster, side in zip(clusters, held, strict=True):
        if side is not None:
            before[cluster][side] += 1
    old = {cluster: max(Split, key=lambda side: sides[side]) for cluster, sides in before.items()}
    now = list(zip(clusters[:here], held[:here], strict=True))
    placed = Counter(side or old[cluster] for cluster, side in now if side or cluster in old)
    return old | assign(Counter(cluster for cluster, _ in now if cluster not in old), placed)


def _report_meeting(
    names: Sequence[str], clusters: Sequence[str], held: Sequence[Split | None], warnings: Warnings
) -> None:
    """Count the clusters that the series has on several sides, and name their images."""
    meeting: dict[str, dict[Split, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, cluster, side in zip(names, clusters, held, strict=True):
        if side is not None:
            meeting[cluster][side].append(name)
    for sides in meeting.values():
        if len(sides) > 1:
            said = (f"{side.value}: {some_of(sides[side])}" for side in Split if side in sides)
            warnings.add("dataset.sides_meet", "; ".join(said))


def _one_side_each(digests: Sequence[str], keys: Sequence[str], sides: Sequence[Split]) -> list[str]:
    """Near-duplicates that the series has on two sides make two groups."""
    least: dict[tuple[str, Split], str] = {}
    for digest, key, side in zip(digests, keys, sides, strict=True):
        least[key, side] = min(digest, least.get((key, side), digest))
    return [_like(least[key, side]) for key, side in zip(keys, sides, strict=True)]


def _alike(images: Sequence[Seen], warnings: Warnings) -> list[str]:
    """A group for each image, named by the least digest in it, so that the order of images does not matter."""
    order = sorted(range(len(images)), key=lambda at: images[at].digest)
    found = pairs([images[at].patch for at in order])
    least, roots = judge(len(images), found)
    if least > SAME:
        warnings.add("dataset.images_alike", f"near-duplicates correlate by at least {least:.2f}")
    names = dict(zip(order, (_like(images[order[root]].digest) for root in roots), strict=True))
    return [names[at] for at in range(len(images))]


def _like(digest: str) -> str:
    return f"like-{digest[7:19]}"


def _together(digests: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Groups that share a picture count as one; named by the least of their names."""
    by_digest: dict[str, list[str]] = defaultdict(list)
    for digest, key in zip(digests, keys, strict=True):
        by_digest[digest].append(key)
    names = sorted(set(keys))
    place = {name: at for at, name in enumerate(names)}
    links = [Pair(place[ks[0]], place[k], 1.0) for ks in by_digest.values() for k in ks[1:]]
    roots = groups(len(names), links)
    return [names[roots[place[key]]] for key in keys]


def assign(sizes: Mapping[str, int], placed: Mapping[Split, int] | None = None) -> dict[str, Split]:
    """A side for each group: in the order of the groups' hashes each goes where most images are missing. `placed`:
    images that have their side already.

    Depends on names and sizes only. With three groups or more no side stays empty.
    """
    placed = placed or {}
    order = sorted(sizes, key=lambda name: hashlib.sha256(name.encode()).digest())
    total = sum(sizes.values()) + sum(placed.values())
    wanted = {side: share * total - placed.get(side, 0) for side, share in SHARES.items()}
    sides: dict[str, Split] = {}
    for at, name in enumerate(order):
        taken = {*sides.values(), *(side for side in Split if placed.get(side))}
        empty = [side for side in (Split.TRAIN, Split.TEST, Split.VAL) if side not in taken]
        choice = empty if len(order) - at <= len(empty) else list(wanted)
        sides[name] = max(choice, key=lambda side: wanted[side])
        wanted[sides[name]] -= sizes[name]
    return sides


def report_leaks(images: Sequence[Seen], warnings: Warnings) -> None:
    """Count what the data's own split puts on two sides: groups, pictures, and near-duplicates where no groups are."""
    sides: dict[tuple[str, str], set[Split | None]] = defaultdict(set)
    for image in images:
        sides["dataset.picture_divided", image.digest].add(image.split)
        if image.group is not None:
            sides["dataset.group_divided", image.group].add(image.split)
    for (code, name), found in sides.items():
        if len(found) > 1:
            warnings.add(code, name)
    if any(image.group is None for image in images):
        for pair in pairs([image.patch for image in images], _CERTAIN):
            one, other = images[pair.first], images[pair.second]
            if one.split is not other.split and one.digest != other.digest:
                warnings.add("dataset.near_duplicate_divided", f"{one.name} and {other.name}")
