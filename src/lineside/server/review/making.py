"""Dataset versions made of reviewed captures: a share goes to the recent-field test set first, the rest to the next
version of the dataset. Near-duplicates stay together, and what was taken once is not taken again."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from lineside.contract.capture import CaptureRecord
from lineside.contract.counted import counted
from lineside.contract.dataset import DatasetVersion, ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.review import MadeDataset, MakeDataset, ReviewState
from lineside.server.captures.store import CaptureRow
from lineside.server.datasets import store as datasets_store
from lineside.server.datasets.extending import Extended, Extensions
from lineside.server.datasets.fields import FieldSets
from lineside.server.datasets.series import FIELD, newest
from lineside.server.datasets.service import DatasetsService
from lineside.server.review.store import ItemRow
from lineside.server.services import Core

MOST = 5000
"""Captures that one version takes; what is over waits for the next."""

_SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/bmp": "bmp", "image/webp": "webp", "image/tiff": "tif"}


class Making:
    """Makes dataset versions of what was reviewed."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._datasets = DatasetsService(core)
        self._extensions = Extensions(core, self._datasets)
        self._fields = FieldSets(core, self._datasets)

    def make(self, request: MakeDataset) -> MadeDataset:
        """Take what was reviewed since. The same again changes nothing. Raises `request.invalid`,
        `review.none_to_take`, and what `Extensions.extend` does."""
        if not 0 <= request.field_share < 1:
            raise LinesideError("request.invalid", why="field_share lies in 0..1, and leaves something to train on")
        waiting = self._waiting(request.model)
        before = self._version(request.name)
        if not waiting and before is None:
            raise LinesideError("review.none_to_take", name=request.name)
        images, alike = _images(waiting)
        field = self._in_field(request.name, images) if before is not None else {}
        chosen = _share(images, alike, request.field_share, len(field))
        added = 0
        if before is not None:  # first of all, so that no other side has them
            added = self._to_field(request.name, [one for one in images if one.digest in chosen - field.keys()])
            field = self._in_field(request.name, images)
        rest = [image for image in images if image.digest not in field]
        if before is None:  # there is nothing yet that a field set stands beside
            rest = [image for image in images if image.digest not in chosen] or list(images)
        made = self._extend(request.name, rest, before)
        if before is None and len(rest) < len(images):
            kept = {image.digest for image in rest}
            added = self._to_field(request.name, [image for image in images if image.digest not in kept])
            field = self._in_field(request.name, images)
        taken = {image.digest: made.version.id for image in rest} | field
        self._mark(waiting, taken, request.name, made, added)
        left = len(images) - len(taken)
        return MadeDataset(
            version=made.version,
            created=made.created,
            added=made.added,
            changed=made.changed,
            field=self._version(request.name + FIELD),
            field_added=added,
            left_out={"looks like a training picture": left} if left else {},
        )

    def waiting(self, model: str | None, most: int) -> int:
        """How many reviewed captures wait for a dataset; counted up to `most`."""
        with self._core.database.read() as session:
            return len(session.scalars(_unused(model).with_only_columns(ItemRow.capture).limit(most)).all())

    def _waiting(self, model: str | None) -> list[tuple[ItemRow, CaptureRecord]]:
        with self._core.database.read() as session:
            rows = session.scalars(_unused(model).order_by(ItemRow.reviewed_at, ItemRow.capture).limit(MOST)).all()
            records: dict[str, CaptureRecord] = {}
            for at in range(0, len(rows), 500):
                ids = [row.capture for row in rows[at : at + 500]]
                found = session.execute(select(CaptureRow.id, CaptureRow.record).where(CaptureRow.id.in_(ids)))
                records |= {row.id: row.record for row in found}
        return [(row, records[row.capture]) for row in rows if row.capture in records]

    def _version(self, name: str) -> DatasetVersion | None:
        with self._core.database.read() as session:
            found = newest(session, name)
            return datasets_store.version_by_id(session, found) if found is not None else None

    def _in_field(self, name: str, images: Sequence[ImageRecord]) -> dict[str, str]:
        """Those of some pictures that the field set has, with its version."""
        version, wanted = self._version(name + FIELD), {image.digest for image in images}
        if version is None:
            return {}
        with self._core.database.read() as session:
            held = (image.digest for _, image in datasets_store.all_images(session, version.id))
            return {digest: version.id for digest in held if digest in wanted}

    def _to_field(self, name: str, images: Sequence[ImageRecord]) -> int:
        if not images:
            return 0
        labels = tuple(sorted({box.label for image in images for box in image.boxes}))
        try:
            return self._fields.add(name, images, labels).added
        except LinesideError as error:
            if error.code != "dataset.field_empty":  # all of them look like training pictures
                raise
            return 0

    def _extend(self, name: str, images: Sequence[ImageRecord], before: DatasetVersion | None) -> Extended:
        if not images and before is not None:
            return Extended(before, False, 0, 0)
        return self._extensions.extend(name, images)

    def _mark(
        self,
        waiting: Sequence[tuple[ItemRow, CaptureRecord]],
        taken: Mapping[str, str],
        name: str,
        made: Extended,
        added: int,
    ) -> None:
        if not waiting:
            return
        with self._core.database.write() as session:
            count = sum(_mark_one(session, item, taken.get(item.digest)) for item, _ in waiting)
            what = f"{counted(made.added, 'image')}, {made.changed} relabelled, {added} in the field set"
            said = f"{counted(count, 'review')}: {what}"
            version = made.version
            self._core.audit.record(session, "review.dataset", version.id, digest=version.digest, why=f"{name}: {said}")
            self._core.events.record(session, kind="review.dataset", subject=version.id, message=f"{name} took {said}.")


def _mark_one(session: Session, item: ItemRow, dataset: str | None) -> int:
    if dataset is None:
        return 0
    same = (ItemRow.capture == item.capture) & (ItemRow.reviewed_at == item.reviewed_at)  # not undone meanwhile
    session.execute(update(ItemRow).where(same).values(dataset=dataset))
    return 1


def _unused(model: str | None) -> Select[ItemRow]:
    query = select(ItemRow).where(ItemRow.state == ReviewState.REVIEWED.value, ItemRow.dataset.is_(None))
    return query if model is None else query.where(ItemRow.model == model)


def _images(waiting: Sequence[tuple[ItemRow, CaptureRecord]]) -> tuple[list[ImageRecord], dict[str, str]]:
    """One image a picture with its newest labels, and the first of each picture's near-duplicates."""
    images, alike = {}, {}
    for item, record in waiting:
        suffix = _SUFFIXES.get(record.content_type, "img")
        images[item.digest] = ImageRecord(
            digest=item.digest,
            file_name=f"captures/{item.device}/{item.capture}.{suffix}",
            width=item.width,
            height=item.height,
            split=Split.TEST,
            boxes=item.labels or (),
            taken_at=record.captured_at,
        )
        alike[item.digest] = item.alike
    return list(images.values()), alike


def _share(images: Sequence[ImageRecord], alike: Mapping[str, str], share: float, have: int) -> set[str]:
    """Whole groups of near-duplicates, in the order of their hashes, until the share is reached; `have` are there."""
    groups: dict[str, list[str]] = defaultdict(list)
    for image in images:
        groups[alike[image.digest]].append(image.digest)
    wanted, chosen = round(share * len(images)) - have, set[str]()
    for name in sorted(groups, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if len(chosen) + len(groups[name]) <= wanted:
            chosen.update(groups[name])
    return chosen
