"""Labels go to other tools and come back: captures as a folder in any format that datasets are written in, and label
files of any format that they are read from. A file names its pictures after captures: `CAPTURE.png`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import PurePosixPath

from sqlalchemy import select

from lineside.contract.counted import counted
from lineside.contract.dataset import ImageRecord, LabelKind, LabelSource, Split
from lineside.contract.dataset_export import ExportListing
from lineside.contract.errors import LinesideError
from lineside.contract.review import (
    Answer,
    AnswerKind,
    LabelsReport,
    LabelsRequest,
    NextRequest,
    ReviewBox,
    ReviewExport,
    ReviewItem,
)
from lineside.server.access.caller import current
from lineside.server.clock import rfc3339
from lineside.server.database.among import among
from lineside.server.datasets.assembly import Kept, keep
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.exporting import write_files
from lineside.server.datasets.formats import named, recognise
from lineside.server.datasets.formats.folder import Folder
from lineside.server.datasets.formats.reader import Reading
from lineside.server.datasets.formats.writer import Export
from lineside.server.datasets.formats.yolo_places import IMAGES, LABELS, is_in, stem_of
from lineside.server.datasets.pictures.looks import Look
from lineside.server.review.service import ReviewService
from lineside.server.review.store import ItemRow
from lineside.server.services import Core

SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/bmp": "bmp", "image/webp": "webp", "image/tiff": "tif"}

_MOST, _MOST_FILES, _MOST_NAMES = 1000, 2000, 20_000
_AT_ONCE = 200  # answers in one transaction
_NAME = re.compile(rb"([A-Za-z0-9][A-Za-z0-9._-]{0,80})\.(jpe?g|png|bmp|webp|tiff?)\b", re.IGNORECASE)
_STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
_UPLOADED = re.compile(r"[0-9a-f]{8}-")  # what Label Studio puts before names
_REFUSED = ("review.answered", "review.leased", "review.yours_already")


class Exchange:
    """Label files out and in."""

    def __init__(self, core: Core, reviews: ReviewService) -> None:
        self._core, self._reviews = core, reviews

    def export(self, request: ReviewExport) -> ExportListing:
        """Lease captures to the caller, and write them with their predictions. Raises `request.invalid`,
        `dataset.format_unnamed`, `dataset.export_unfinished`."""
        if not 1 <= request.count <= _MOST or not 1 <= request.hours <= 24 * 30:
            raise LinesideError("request.invalid", why=f"1 to {_MOST} captures, for 1 to 720 hours")
        named(request.format)
        wanted = NextRequest(count=request.count, strategy=request.strategy, device=request.device, model=request.model)
        batch = self._reviews.lease(wanted, timedelta(hours=request.hours))
        images = [_image(item) for item in batch.items]
        now = rfc3339(self._core.clock.now())
        export = Export(batch.classes, "photographs", now, lambda: iter(images))
        listing = write_files(self._core.objects, export, request.format, "review", len(images))
        with self._core.database.write() as session:
            what = f"{counted(len(images), 'capture')} as {request.format}"
            why = f"{what}, for {counted(request.hours, 'hour')}"
            self._core.audit.record(session, "review.export", "review", why=why)
        return listing

    def labels(self, request: LabelsRequest) -> LabelsReport:
        """Take label files as the caller's answers. Every picture that they list counts as reviewed: without a box it
        shows nothing. Raises `review.labels_refused` and `dataset.…`; nothing is stored then."""
        if not 1 <= len(request.files) <= _MOST_FILES:
            raise LinesideError("review.labels_refused", why=f"{len(request.files)} files; 1 to {_MOST_FILES} at once")
        warnings, found = Warnings(), self._captures(request)
        if not found:
            raise LinesideError("review.labels_refused", why="no file names a capture in review, like CAPTURE.png")
        pictures = {name: item.digest for name, item in found.items()}
        labels = {path: one for path, one in request.files.items() if not _is_picture(path)}
        folder = self._folder(pictures | _beside(labels, pictures) | labels)
        reading = recognise(folder, warnings, request.format).read(folder, warnings)
        kept = self._kept(reading, found, warnings)
        if not kept:
            raise LinesideError("review.labels_refused", why="no picture of a capture has labels in it")
        answered = sum(self._answer(kept[at : at + _AT_ONCE]) for at in range(0, len(kept), _AT_ONCE))
        return LabelsReport(answered=answered, passed_over=len(kept) - answered, warnings=warnings.counted())

    def _folder(self, files: dict[str, str]) -> Folder:
        return Folder(files, lambda path: self._core.objects.stream(files[path]))

    def _captures(self, request: LabelsRequest) -> dict[str, ItemRow]:
        """Captures that are named, by the name of the picture as it is written."""
        folder = self._folder(dict(request.files))
        names: dict[str, str] = {}
        for path in folder.files:
            place = PurePosixPath(path)
            if _STEM.fullmatch(place.stem):
                names.setdefault(place.name if _is_picture(path) else f"{place.stem}.png", place.stem)
            if not _is_picture(path):
                for match in _NAME.finditer(folder.read(path)):
                    names[match[0].decode()] = match[1].decode()
            if len(names) > _MOST_NAMES:
                raise LinesideError("review.labels_refused", why=f"over {_MOST_NAMES} pictures are named")
        items = self._items([*names.values(), *(_UPLOADED.sub("", name, count=1) for name in names.values())])
        known = {name: items.get(stem) or items.get(_UPLOADED.sub("", stem, count=1)) for name, stem in names.items()}
        return {name: item for name, item in known.items() if item is not None}

    def _items(self, captures: Sequence[str]) -> dict[str, ItemRow]:
        found: dict[str, ItemRow] = {}
        for at in range(0, len(captures), 500):
            with self._core.database.read() as session:
                rows = session.scalars(select(ItemRow).where(among(ItemRow.capture, captures[at : at + 500])))
                found |= {row.capture: row for row in rows if row.width > 0}
        return found

    def _kept(self, reading: Reading, found: dict[str, ItemRow], warnings: Warnings) -> list[tuple[ItemRow, Kept]]:
        pairs = {}
        for image in reading.images:
            item = found.get(PurePosixPath(image.path).name)
            if item is not None:
                look = Look(item.width, item.height, "", 0.0)
                kept = keep(image, item.digest, look, warnings)
                if kept is not None:
                    pairs[item.capture] = (item, kept)
        return list(pairs.values())

    def _answer(self, some: Sequence[tuple[ItemRow, Kept]]) -> int:
        drawn = LabelSource(kind=LabelKind.IMPORT, by=current().name, reviewed=True)
        answered = 0
        with self._core.database.write() as session:
            for item, kept in some:
                row = session.get(ItemRow, item.capture)
                boxes = tuple(
                    ReviewBox(label=box.label, x=box.x, y=box.y, width=box.width, height=box.height)
                    for box in kept.boxes
                )
                kind = AnswerKind.CORRECT if boxes else AnswerKind.NOTHING
                try:
                    if row is not None:
                        answer = Answer(capture=item.capture, kind=kind, boxes=boxes)
                        self._reviews.take_answer(session, row, answer, "labels", drawn)
                        answered += 1
                except LinesideError as error:
                    if error.code not in _REFUSED:
                        raise
        return answered


def _is_picture(path: str) -> bool:
    return path.casefold().endswith((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))


def _beside(labels: Iterable[str], pictures: Mapping[str, str]) -> dict[str, str]:
    """Pictures where YOLO looks for them: `images/a/c1.png` for `labels/a/c1.txt`."""
    found = {}
    for path in labels:
        name = f"{PurePosixPath(path).stem}.png"
        if path.casefold().endswith(".txt") and is_in(path, LABELS) and name in pictures:
            found[f"{stem_of(path, LABELS, IMAGES)}.png"] = pictures[name]
    return found


def _image(item: ReviewItem) -> ImageRecord:
    suffix = SUFFIXES.get(item.record.content_type, "png")
    return ImageRecord(
        digest=item.record.digest,
        file_name=f"{item.record.id}.{suffix}",
        width=item.width,
        height=item.height,
        split=Split.TRAIN,
        boxes=item.predicted,
        taken_at=item.record.captured_at,
    )
