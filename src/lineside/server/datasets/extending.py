"""The next version of a dataset made of the newest one and more labelled pictures, whose labels may be new ones for
pictures that it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from lineside.contract.dataset import Box, DatasetVersion, ImageRecord, Split, content_of
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest, is_name
from lineside.server.clock import rfc3339
from lineside.server.datasets import store
from lineside.server.datasets.assembly import Assembled
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats.writer import Taken
from lineside.server.datasets.pictures.looks import patches_on_disk
from lineside.server.datasets.series import FIELD, newest, what_is_known
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.splitting import Seen, divide
from lineside.server.services import Core


@dataclass(frozen=True)
class Extended:
    """What became of it: pictures that are new, and those that were there and got other labels."""

    version: DatasetVersion
    created: bool
    added: int
    changed: int


class Extensions:
    """Adds pictures to datasets."""

    def __init__(self, core: Core, datasets: DatasetsService) -> None:
        self._core, self._datasets = core, datasets

    def extend(self, name: str, images: Sequence[ImageRecord]) -> Extended:
        """Add pictures, of one digest each, that are stored and were looked at. What is there keeps its side and group;
        near-duplicates of what the series knows go to the side of that, and the others are divided as an import is.
        The same pictures and labels again change nothing. Raises `request.invalid`, `dataset.empty`."""
        if not is_name(name) or name.endswith(FIELD):
            raise LinesideError("request.invalid", why=f"{name!r} cannot name a dataset that grows by reviews")
        done = None
        while done is None:  # once more where the series has grown meanwhile
            done = self._extend(name, images)
        return done

    def _extend(self, name: str, images: Sequence[ImageRecord]) -> Extended | None:
        base, held = self._base(name)
        here = {image.digest for image in held}
        given = {image.digest: image.boxes for image in images}
        new = [image for image in images if image.digest not in here]
        changed = sum(set(given.get(image.digest, image.boxes)) != set(image.boxes) for image in held)
        if base is not None and not new and not changed:
            return Extended(base, False, 0, 0)
        warnings = Warnings()
        added, keys = self._divided(name, _renamed(held, new), warnings)
        everything = tuple(sorted([*_relabelled(held, given), *added], key=lambda image: image.file_name))
        version = self._version(name, base, everything, warnings)
        report = self._datasets.store_version(name, version, Assembled(everything, version.split_by), keys)
        return None if report is None else Extended(report.version, report.created, len(new), changed)

    def _base(self, name: str) -> tuple[DatasetVersion | None, list[ImageRecord]]:
        with self._core.database.read() as session:
            dataset = newest(session, name)
            if dataset is None:
                return None, []
            return store.version_by_id(session, dataset), [image for _, image in store.all_images(session, dataset)]

    def _divided(self, name: str, images: Sequence[ImageRecord], warnings: Warnings) -> tuple[list[ImageRecord], int]:
        """The pictures with their sides and groups, and how many keys the series knew."""
        core, digests = self._core, [image.digest for image in images]
        known, keys = what_is_known(
            core.database, self._datasets.looks, name, [(digest, None) for digest in digests], bool(images), core.root
        )
        patches = patches_on_disk(core.database, digests, core.root)
        seen = [Seen(one.file_name, one.digest, patch, None, None) for one, patch in zip(images, patches, strict=True)]
        if not seen:
            return [], keys
        found = divide(seen, warnings, known)
        sides = zip(images, found.groups, found.sides, strict=True)
        return [replace(image, group=group, split=side) for image, group, side in sides], keys

    def _version(
        self, name: str, base: DatasetVersion | None, images: tuple[ImageRecord, ...], warnings: Warnings
    ) -> DatasetVersion:
        drawn = sorted({box.label for image in images for box in image.boxes})
        classes = tuple(dict.fromkeys((*(base.classes if base else ()), *drawn)))
        if not classes:
            raise LinesideError("dataset.empty", why="no box is on any picture yet")
        digest = content_digest(content_of(classes, images))
        sides = Counter(image.split for image in images)
        return DatasetVersion(
            id=f"ds-{digest.removeprefix('sha256:')[:12]}",
            digest=digest,
            name=name,
            created_at=rfc3339(self._core.clock.now()),
            format="review",
            origin=base.origin if base is not None else "photographs",
            images=len(images),
            boxes=sum(len(image.boxes) for image in images),
            classes=classes,
            splits={side.value: sides.get(side, 0) for side in Split},
            groups=len({image.group for image in images if image.group is not None}),
            split_by=base.split_by if base is not None else "near-duplicates",
            warnings=warnings.counted(),
        )


def _relabelled(held: Sequence[ImageRecord], given: Mapping[str, tuple[Box, ...]]) -> list[ImageRecord]:
    return [
        image if set(given.get(image.digest, image.boxes)) == set(image.boxes)
        else replace(image, boxes=given[image.digest])
        for image in held
    ]  # fmt: skip


def _renamed(held: Sequence[ImageRecord], new: Sequence[ImageRecord]) -> list[ImageRecord]:
    """No two pictures of one name."""
    taken, named = Taken(image.file_name for image in held), []
    for image in new:
        name = taken.free(image.file_name)
        taken.add(name)
        named.append(replace(image, file_name=name))
    return named
