"""What can be done with datasets: import a folder, list versions, page through images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy

from lineside.contract.counted import counted
from lineside.contract.dataset import (
    DatasetPage,
    DatasetVersion,
    ImagePage,
    ImportReport,
    ImportRequest,
    Split,
    content_of,
)
from lineside.contract.dataset_export import ExportListing
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest, is_digest, is_name
from lineside.server.clock import rfc3339
from lineside.server.datasets import store
from lineside.server.datasets.assembly import Assembled, Kept, assemble, keep
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.exporting import write_folder
from lineside.server.datasets.formats import recognise
from lineside.server.datasets.formats.folder import Folder
from lineside.server.datasets.formats.reader import Reading
from lineside.server.datasets.pictures.looks import Looks, patches_on_disk
from lineside.server.datasets.series import FIELD, add_to_series, how_many, newest, one_before, remember, what_is_known
from lineside.server.datasets.splitting import Known
from lineside.server.datasets.store import Filters
from lineside.server.datasets.turns import Turns
from lineside.server.services import Core

_turns = Turns("an import", at_once=2, waiting=8, patience=60)  # labels are in memory meanwhile

ORIGINS = ("photographs", "rendered")

_LABEL_FILES = (".json", ".jsonl", ".manifest", ".txt", ".xml", ".yaml", ".yml", ".csv", ".md", ".names", ".cache")


class DatasetsService:
    """Dataset versions."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.looks = Looks(core.database, core.objects)

    def import_folder(self, request: ImportRequest) -> ImportReport:
        """Make a dataset version of files whose blobs are stored; the same content again is the same version.

        Raises `request.invalid` and `dataset.…` errors, `dataset.busy` among them; nothing is stored then.
        """
        self._check(request)
        with _turns.turn():
            return self._import(request)

    def _import(self, request: ImportRequest) -> ImportReport:
        warnings = Warnings()
        folder = Folder(request.files, lambda path: self._core.objects.stream(request.files[path]))
        form = recognise(folder, warnings, request.format)
        reading = form.read(folder, warnings)
        kept = self._look(folder, reading, warnings)
        patches = patches_on_disk(self._core.database, [image.digest for image in kept], self._core.root)
        if form.lists:
            _count_unlisted(folder, reading, warnings)
        report = None
        while report is None:  # once more where the series has grown meanwhile
            noticed = deepcopy(warnings)
            known, keys = self._known(request.name, kept)
            assembled = assemble(reading, kept, patches, noticed, known)
            version = self._version(request, form.name, reading, assembled, noticed)
            report = self.store_version(request.name, version, assembled, keys)
        return report

    def versions(self, name: str | None = None, offset: int = 0, limit: int = 100) -> DatasetPage:
        """A slice of all versions, or of those of a name, newest first."""
        with self._core.database.read() as session:
            return store.version_slice(session, name, offset, limit)

    def version(self, dataset: str) -> DatasetVersion:
        """One version by its id, or the newest of a name: `tags`, `tags@latest`. Raises `request.not_found`."""
        with self._core.database.read() as session:
            found = store.version_by_id(session, dataset)
            if found is None:
                latest = newest(session, dataset.removesuffix("@latest"))
                found = store.version_by_id(session, latest) if latest else None
        if found is None:
            raise LinesideError("request.not_found", what="dataset", name=dataset)
        return found

    def newest(self, name: str) -> str | None:
        """The id of the newest version of a name."""
        with self._core.database.read() as session:
            return newest(session, name)

    def one_before(self, version: DatasetVersion) -> str | None:
        """The id of what was the newest version of the same name before this one."""
        with self._core.database.read() as session:
            return one_before(session, version.name, version.id)

    def images(self, dataset: str, wanted: Filters, offset: int, limit: int) -> ImagePage:
        """A slice of a version's images that pass all filters. Raises `request.not_found`."""
        version = self.version(dataset)
        if wanted.label is not None and wanted.label not in version.classes:
            raise LinesideError("request.not_found", what="class", name=wanted.label)
        with self._core.database.read() as session:
            images, total = store.image_slice(session, version, wanted, offset, limit)
        return ImagePage(images=images, offset=offset, total=total)

    def export(self, dataset: str, form: str) -> ExportListing:
        """A version as a folder in a format. Raises `request.not_found`, `dataset.format_unnamed`."""
        version = self.version(dataset)
        listing = write_folder(self._core.database, self._core.objects, version, form)
        with self._core.database.write() as session:
            why = f"{version.name} as {form}: {counted(len(listing.files), 'file')}"
            self._core.audit.record(session, "dataset.export", version.id, digest=version.digest, why=why)
        return listing

    def _check(self, request: ImportRequest) -> None:
        if not is_name(request.name):
            raise LinesideError("request.invalid", why=f"{request.name!r} cannot name a dataset")
        if request.name.endswith(FIELD):
            why = f"names that end in {FIELD} are kept for field sets, which grow and are not imported"
            raise LinesideError("request.invalid", why=why)
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

    def _known(self, name: str, kept: Sequence[Kept]) -> tuple[Known, int]:
        images = [(image.digest, image.labelled.group) for image in kept]
        compare = any(image.labelled.split is None for image in kept) and any(group is None for _, group in images)
        return what_is_known(self._core.database, self.looks, name, images, compare, self._core.root)

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

    def store_version(self, name: str, version: DatasetVersion, assembled: Assembled, keys: int) -> ImportReport | None:
        """Store a version and the sides of its series; None when that knows more than the `keys` it knew."""
        with self._core.database.write() as session:
            if how_many(session, name) != keys:
                return None
            remember(session, name, assembled.images, grouped=assembled.split_by != "near-duplicates")
            known = store.version_by_digest(session, version.digest)
            if known is None:
                store.add_version(session, version, assembled.images)
                what = f"{counted(version.images, 'image')}, {counted(version.boxes, 'box', 'boxes')}"
                message = f"{what}; split {version.split_by}."
                self._core.events.record(session, kind="dataset.imported", subject=version.id, message=message)
                why = f"{version.name}: {message}"
                self._core.audit.record(session, "dataset.import", version.id, digest=version.digest, why=why)
            add_to_series(session, name, (known or version).id)
        return ImportReport(version=known or version, created=known is None)


def _ordered(counts: Mapping[Split, int]) -> dict[str, int]:
    return {side.value: counts.get(side, 0) for side in Split}


def _count_unlisted(folder: Folder, reading: Reading, warnings: Warnings) -> None:
    listed: set[str] = {image.path for image in reading.images} | warnings.harmed | reading.pending
    for path in folder.files:
        if path not in listed and not path.casefold().endswith(_LABEL_FILES) and folder.is_picture(path):
            warnings.add("dataset.image_unlisted", path)
