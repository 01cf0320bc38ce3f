"""Exports: label files are written and stored as blobs, images are the blobs they are, and a listing names them all."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lineside.contract.dataset import DatasetVersion, ImageRecord
from lineside.contract.dataset_export import ExportListing
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.adapters.objects import ObjectStore
from lineside.server.database import Database
from lineside.server.datasets import store
from lineside.server.datasets.formats import named
from lineside.server.datasets.formats.writer import Export, Stored

_AT_ONCE, _BYTES = 500, 8 << 20  # label files that are in memory and stored together
_SECONDS = 15.0  # that one request stores label files; the next goes on


def write_folder(database: Database, objects: ObjectStore, version: DatasetVersion, form: str) -> ExportListing:
    """A dataset version in a format; the same version again answers with the same listing. Of its images no more than
    a page is in memory, of label files a piece or a few hundred small ones. Raises
    `dataset.format_unnamed`, and `dataset.export_unfinished` where the disk is slow: what is written is kept for when
    it is asked for again."""
    named(form)

    def images() -> Iterator[ImageRecord]:
        with database.read() as session:
            for _, image in store.all_images(session, version.id):
                yield image

    export = Export(version.classes, version.origin, version.created_at, images)
    return write_files(objects, export, form, version.id, version.images)


def write_files(objects: ObjectStore, export: Export, form: str, dataset: str, total: int) -> ExportListing:
    """As `write_folder`, of `total` images that need not be a dataset's."""
    writer = named(form)
    files: dict[str, str] = {}
    small, done = _Small(objects), 0
    for file in writer.write(export):
        if small.seconds > _SECONDS:
            raise LinesideError("dataset.export_unfinished", done=done, total=total)
        if isinstance(file, Stored):
            files[file.path] = file.digest
            done += 1
        elif isinstance(file.pieces, list):
            files[file.path] = small.add(b"".join(file.pieces))
        else:
            files[file.path] = objects.put(file.pieces)
    small.store()
    return ExportListing(dataset=dataset, format=form, files=files, warnings=export.warnings.counted())


class _Small:
    """Small files that were made, stored many at a time: ten thousand of them cost the disk as much as a few hundred
    that are stored one by one. What is stored already is not written again."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._files: dict[str, bytes] = {}
        self._size = 0
        self.seconds = 0.0  # that storing took

    def add(self, data: bytes) -> str:
        """Its digest; it is stored with others, and by `store` at the latest."""
        digest = digest_of(data)
        if digest not in self._files:
            self._files[digest] = data
            self._size += len(data)
        if len(self._files) == _AT_ONCE or self._size > _BYTES:
            self.store()
        return digest

    def store(self) -> None:
        """Store what waits."""
        new = {digest: data for digest, data in self._files.items() if not self._objects.exists(digest)}
        started = time.monotonic()
        if new:
            self._objects.put_many((digest, [data]) for digest, data in new.items())
            self.seconds += time.monotonic() - started
        self._files, self._size = {}, 0
