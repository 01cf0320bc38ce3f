"""Exports: label files are written and stored as blobs, images are the blobs they are, and a listing names them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lineside.contract.dataset import DatasetVersion, ImageRecord
from lineside.contract.dataset_export import ExportListing
from lineside.contract.ids import digest_of
from lineside.server.adapters.objects import ObjectStore
from lineside.server.database import Database
from lineside.server.datasets import store
from lineside.server.datasets.formats import named
from lineside.server.datasets.formats.writer import Export, Stored


def write_folder(database: Database, objects: ObjectStore, version: DatasetVersion, form: str) -> ExportListing:
    """A dataset version in a format; the same version again answers with the same listing. Of its images no more than
    a page is in memory, of a label file no more than a piece. Raises `dataset.format_unnamed`."""
    writer = named(form)

    def images() -> Iterator[ImageRecord]:
        with database.read() as session:
            for _, image in store.all_images(session, version.id):
                yield image

    export = Export(version.classes, version.origin, version.created_at, images)
    files: dict[str, str] = {}
    for file in writer.write(export):
        files[file.path] = file.digest if isinstance(file, Stored) else _stored(objects, file.pieces)
    return ExportListing(dataset=version.id, format=form, files=files, warnings=export.warnings.counted())


def _stored(objects: ObjectStore, pieces: Iterable[bytes]) -> str:
    """The digest of a file that was made. A small one that is stored already is not written to the disk again."""
    if not isinstance(pieces, list):
        return objects.put(pieces)
    data = b"".join(pieces)
    digest = digest_of(data)
    return digest if objects.exists(digest) else objects.put(data, expected=digest)
