"""What can be done with datasets: import a folder, list versions, page through images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from lineside.contract.dataset import (
    DatasetVersion,
    ImagePage,
    ImportReport,
    ImportRequest,
    Split,
    content_of,
)
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest, is_digest, is_name
from lineside.server.clock import rfc3339
from lineside.server.datasets import store
from lineside.server.datasets.assembly import Assembled, Kept, assemble, keep
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import recognise
from lineside.server.datasets.formats.reader import Folder, Reading
from lineside.server.datasets.looks import Looks, patches_on_disk
from lineside.server.datasets.pictures import is_picture
from lineside.server.services import Core

ORIGINS = ("photographs", "rendered")

_LABEL_FILES = (".json", ".txt", ".xml", ".yaml", ".yml", ".csv", ".md", ".names", ".cache")


class DatasetsService:
    """Dataset versions."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.looks = Looks(core.database, core.objects)

    def import_folder(self, request: ImportRequest) -> ImportReport:
        """Make a dataset version of files whose blobs are stored; the same content again is the same version.

        Raises `request.invalid` and `dataset.…` errors; nothing is stored then.
        """
        self._check(request)
        warnings = Warnings()
        folder = Folder(request.files, lambda path: self._core.objects.get(request.files[path]))
        form = recognise(folder, warnings)
        reading = form.read(folder, warnings)
        kept = self._look(folder, reading, warnings)
        patches = patches_on_disk(self._core.database, [image.digest for image in kept], self._core.root)
        assembled = assemble(reading, kept, patches, warnings)
        if form.name == "coco" or form.name == "voc":
            _count_unlisted(folder, reading, warnings)
        version = self._version(request, form.name, reading, assembled, warnings)
        return self._store(version, assembled)

    def versions(self) -> list[DatasetVersion]:
        """All versions, newest first."""
        with self._core.database.read() as session:
            return store.versions(session)

    def version(self, dataset: str) -> DatasetVersion:
        """One version. Raises `request.not_found`."""
        with self._core.database.read() as session:
            found = store.version_by_id(session, dataset)
        if found is None:
            raise LinesideError("request.not_found", what="dataset", name=dataset)
        return found

    def images(self, dataset: str, split: Split | None, offset: int, limit: int) -> ImagePage:
        """A slice of a version's images. Raises `request.not_found`."""
        self.version(dataset)
        with self._core.database.read() as session:
            images, total = store.image_slice(session, dataset, split, offset, limit)
        return ImagePage(images=images, offset=offset, total=total)

    def _check(self, request: ImportRequest) -> None:
        if not is_name(request.name):
            raise LinesideError("request.invalid", why=f"{request.name!r} cannot name a dataset")
        if request.origin not in ORIGINS:
            raise LinesideError("request.invalid", why=f"origin is one of {', '.join(ORIGINS)}")
        missing = [path for path, digest in request.files.items() if not self._has(digest)]
        if missing:
            raise LinesideError("dataset.blob_missing", count=len(missing), path=missing[0])

    def _has(self, digest: str) -> bool:
        return is_digest(digest) and self._core.objects.exists(digest)

    def _look(self, folder: Folder, reading: Reading, warnings: Warnings) -> list[Kept]:
        digests = [folder.files[image.path] for image in reading.images]
        seen = self.looks.of(digests)
        pairs = zip(reading.images, digests, strict=True)
        kept = [keep(image, digest, seen.get(digest), warnings) for image, digest in pairs]
        return [image for image in kept if image is not None]

    def _version(
        self, request: ImportRequest, form: str, reading: Reading, assembled: Assembled, warnings: Warnings
    ) -> DatasetVersion:
        images = assembled.images
        digest = content_digest(content_of(reading.classes, images))
        return DatasetVersion(
            id=f"ds-{digest.removeprefix('sha256:')[:12]}",
            digest=digest,
            name=request.name,
            created_at=rfc3339(self._core.clock.now()),
            format=form,
            origin=reading.origin if reading.origin in ORIGINS else request.origin,
            images=len(images),
            boxes=sum(len(image.boxes) for image in images),
            classes=reading.classes,
            splits=_ordered(Counter(image.split for image in images)),
            groups=len({image.group for image in images if image.group is not None}),
            split_by=assembled.split_by,
            warnings=warnings.counted(),
        )

    def _store(self, version: DatasetVersion, assembled: Assembled) -> ImportReport:
        with self._core.database.write() as session:
            known = store.version_by_digest(session, version.digest)
            if known is not None:
                return ImportReport(version=known, created=False)
            store.add_version(session, version, assembled.images)
            message = f"{version.images} images, {version.boxes} boxes; split {version.split_by}."
            self._core.events.record(session, kind="dataset.imported", subject=version.id, message=message)
            why = f"{version.name}: {message}"
            self._core.audit.record(session, "dataset.import", version.id, digest=version.digest, why=why)
        return ImportReport(version=version, created=True)


def _ordered(counts: Mapping[Split, int]) -> dict[str, int]:
    return {side.value: counts.get(side, 0) for side in Split}


def _count_unlisted(folder: Folder, reading: Reading, warnings: Warnings) -> None:
    listed: set[str] = {image.path for image in reading.images} | warnings.harmed
    for path in folder.files:
        if path not in listed and not path.casefold().endswith(_LABEL_FILES) and is_picture(folder.read(path)):
            warnings.add("dataset.image_unlisted", path)
