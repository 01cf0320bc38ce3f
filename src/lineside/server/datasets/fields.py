"""Field sets: beside a dataset NAME the dated test set NAME-field. It grows from what was labelled lately, never
shrinks, and holds nothing that a model of NAME was or will be trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec
from msgspec import UNSET

from lineside.contract.counted import counted
from lineside.contract.dataset import DatasetVersion, ImageRecord, LabelFrom, Split, content_of, source_of
from lineside.contract.dataset_check import FieldReport, FieldRequest
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest, is_name
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.datasets import store
from lineside.server.datasets.formats.writer import Taken
from lineside.server.datasets.pictures.looks import patches_on_disk
from lineside.server.datasets.pictures.near_duplicates import judge, pairs
from lineside.server.datasets.series import FIELD, add_to_series, group_key, how_many, newest, remember, what_is_known
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.splitting import Known
from lineside.server.services import Core

_AT_ONCE = 500


@dataclass(frozen=True)
class _Offer:
    """Pictures that may go into a field set: those that are not `held` there, how many of the others were left out and
    why, and the classes they may have."""

    found: Callable[[set[str]], tuple[list[ImageRecord], Counter[str]]]
    classes: tuple[str, ...]


class FieldSets:
    """Field sets. `taken_at` says when devices took pictures, by digest; the captures room gives it."""

    def __init__(self, core: Core, datasets: DatasetsService) -> None:
        self._core = core
        self._datasets = datasets
        self.taken_at: Callable[[Iterable[str]], dict[str, str]] = lambda digests: {}

    def grow(self, request: FieldRequest) -> FieldReport:
        """Add what is new: labelled by a person or agreed with, its time known, and on no other side of the dataset.

        Raises `request.not_found`, `request.invalid`, `dataset.field_empty`.
        """
        since = _moment(request.since)
        base = self._datasets.version(request.name)
        name = base.name if request.name == base.id else request.name.removesuffix("@latest")
        if not is_name(name + FIELD):
            raise LinesideError("request.invalid", why=f"{name + FIELD!r} is too long a name for a field set")
        sources = [self._datasets.version(one) for one in request.sources] or [base]
        classes = tuple(label for one in sources for label in one.classes)
        return self._grown(name, base, _Offer(lambda held: self._found(sources, held, since), classes))

    def add(self, name: str, images: Sequence[ImageRecord], classes: tuple[str, ...]) -> FieldReport:
        """As `grow`, from labelled pictures that are in no dataset: each has its `taken_at`, and is on the side test.

        Raises `request.not_found`, `dataset.field_empty`.
        """
        base = self._datasets.version(name)
        return self._grown(
            name, base, _Offer(lambda held: ([one for one in images if one.digest not in held], Counter()), classes)
        )

    def _grown(self, name: str, base: DatasetVersion, offer: _Offer) -> FieldReport:
        report = None
        while report is None:  # once more where the series has grown meanwhile
            report = self._grow(name, base, offer)
        return report

    def _grow(self, name: str, base: DatasetVersion, offer: _Offer) -> FieldReport | None:
        """`base` is the newest version of the series `name`, or the one asked for; it may be called as another series
        that had the same content first."""
        before, held = self._before(name)
        found, left_out = offer.found({image.digest for image in held})
        images = [(image.digest, image.group) for image in found]
        known, keys = what_is_known(
            self._core.database, self._datasets.looks, name, images, bool(found), self._core.root
        )
        new = self._unlike(_untaken(found, known, self._divided(name, found, known), left_out), known, left_out)
        if not new:
            if before is None:
                reasons = ", ".join(f"{count} {why}" for why, count in left_out.items()) or "no image"
                raise LinesideError("dataset.field_empty", name=name, reasons=reasons)
            return FieldReport(version=before, created=False, added=0, left_out=dict(left_out))
        version, everything = self._version(name, base, before, offer.classes, [*held, *_renamed(held, new)])
        return self._store(name, keys, version, everything, FieldReport(
            version=version, created=True, added=len(new), left_out=dict(left_out)
        ))  # fmt: skip

    def _before(self, name: str) -> tuple[DatasetVersion | None, list[ImageRecord]]:
        with self._core.database.read() as session:
            dataset = newest(session, name + FIELD)
            if dataset is None:
                return None, []
            version = store.version_by_id(session, dataset)
            if version is not None and not _is_field(version, name + FIELD):
                why = f"the newest version of {name + FIELD}, {dataset}, was imported and is no field set"
                raise LinesideError("request.invalid", why=why)
            return version, [image for _, image in store.all_images(session, dataset)]

    def _found(
        self, sources: Sequence[DatasetVersion], held: set[str], since: str | None
    ) -> tuple[list[ImageRecord], Counter[str]]:
        """What the sources have that is labelled, dated and not there yet; how much is not."""
        found: dict[str, ImageRecord] = {}
        left_out: Counter[str] = Counter()
        for source in sources:
            for some in self._pieces(source):
                times = self.taken_at([image.digest for image in some])
                for image in some:
                    at = image.taken_at if image.taken_at is not UNSET else times.get(image.digest)
                    why = _unfit(image, at, since)
                    if image.digest in held or image.digest in found:
                        continue
                    if why or at is None:
                        left_out[why] += 1
                    else:
                        group = None if source.split_by == "near-duplicates" else image.group
                        found[image.digest] = msgspec.structs.replace(image, split=Split.TEST, taken_at=at, group=group)
        return list(found.values()), left_out

    def _pieces(self, source: DatasetVersion) -> Iterator[list[ImageRecord]]:
        with self._core.database.read() as session:
            images = (image for _, image in store.all_images(session, source.id))
            while some := list(islice(images, _AT_ONCE)):
                yield some

    def _divided(self, name: str, images: Sequence[ImageRecord], known: Known) -> set[str]:
        """Pictures and groups that have no side, as the data itself put them on two, but are not on test only."""
        keys = {image.digest for image in images} - set(known.pictures)
        keys |= {group_key(one.group) for one in images if one.group is not None and one.group not in known.groups}
        with self._core.database.read() as session:
            return store.not_tested(session, name, keys)

    def _unlike(self, images: list[ImageRecord], known: Known, left_out: Counter[str]) -> list[ImageRecord]:
        """Those that look like no picture that models of the dataset are trained on."""
        seen = self._datasets.looks.of(image.digest for image in images)
        if broken := sum(image.digest not in seen for image in images):
            left_out["not decoded"] += broken
        images = [image for image in images if image.digest in seen]
        taught = [one for one in known.elsewhere if known.pictures[one.digest] is not Split.TEST]
        digests = [image.digest for image in images]
        patches = [*patches_on_disk(self._core.database, digests, self._core.root), *(one.patch for one in taught)]
        found = pairs(patches)
        level, _ = judge(len(patches), found)
        alike = {first for first, second, score in found if score >= level and first < len(images) <= second}
        left_out["looks like a training picture"] += len(alike)
        return [image for at, image in enumerate(images) if at not in alike]

    def _version(
        self,
        name: str,
        base: DatasetVersion,
        before: DatasetVersion | None,
        more: Sequence[str],
        images: Sequence[ImageRecord],
    ) -> tuple[DatasetVersion, tuple[ImageRecord, ...]]:
        ordered = tuple(sorted(images, key=lambda image: image.file_name))
        told = [*(before.classes if before else ()), *base.classes, *more]
        classes = tuple(dict.fromkeys(told))
        digest = content_digest(content_of(classes, ordered))
        return DatasetVersion(
            id=f"ds-{digest.removeprefix('sha256:')[:12]}",
            digest=digest,
            name=name + FIELD,
            created_at=rfc3339(self._core.clock.now()),
            format="field",
            origin=base.origin,
            images=len(ordered),
            boxes=sum(len(image.boxes) for image in ordered),
            classes=classes,
            splits={side.value: len(ordered) if side is Split.TEST else 0 for side in Split},
            groups=len({image.group for image in ordered if image.group is not None}),
            split_by="field",
        ), ordered

    def _store(
        self, name: str, keys: int, version: DatasetVersion, images: Sequence[ImageRecord], report: FieldReport
    ) -> FieldReport | None:
        """Store the version, and keep its pictures off the other sides of the dataset for good; None when the dataset
        knows more than the `keys` it knew."""
        with self._core.database.write() as session:
            if how_many(session, name) != keys:
                return None
            for series in (name, version.name):
                remember(session, series, images, grouped=True)
            if store.version_by_digest(session, version.digest) is None:
                store.add_version(session, version, images)
                message = f"{counted(version.images, 'image')}, {report.added} of them new."
                self._core.events.record(session, kind="dataset.field_grown", subject=version.id, message=message)
                why = f"{version.name}: {message}"
                self._core.audit.record(session, "dataset.field", version.id, digest=version.digest, why=why)
            add_to_series(session, version.name, version.id)
        return report


def _moment(since: str | None) -> str | None:
    try:
        return None if since is None else rfc3339(parse_rfc3339(since))
    except ValueError as error:
        raise LinesideError("request.invalid", why=f"since: {error}") from None


def _is_field(version: DatasetVersion, name: str) -> bool:
    """Whether a version grew, or has the content of one that did and was imported under another name before."""
    tested = version.splits.get(Split.TEST.value) == version.images
    return version.split_by == "field" or (version.name != name and tested)


def _unfit(image: ImageRecord, at: str | None, since: str | None) -> str:
    if any(source_of(box) is LabelFrom.UNREVIEWED for box in image.boxes):
        return "labels not reviewed"
    if at is None:
        return "time unknown"
    try:
        taken = rfc3339(parse_rfc3339(at))
    except ValueError:
        return "time unknown"
    return "too old" if since is not None and taken < since else ""


def _untaken(
    images: Sequence[ImageRecord], known: Known, divided: set[str], left_out: Counter[str]
) -> list[ImageRecord]:
    """Those that no other side of the dataset has, neither the picture nor its group."""
    free = []
    for image in images:
        side = known.pictures.get(image.digest) or known.groups.get(image.group or "")
        if image.digest in divided or (image.group is not None and group_key(image.group) in divided):
            left_out["on two sides"] += 1
        elif side in (None, Split.TEST):
            free.append(image)
        else:
            left_out[f"in {side.value}"] += 1
    return free


def _renamed(held: Sequence[ImageRecord], new: Sequence[ImageRecord]) -> list[ImageRecord]:
    """No two images whose names cannot lie in one folder: a later one is named by its picture too."""
    taken, named = Taken(image.file_name for image in held), []
    for image in new:
        name = image.file_name
        if not taken.is_free(name):
            name = taken.free(f"{image.digest[7:19]}/{name}")
        taken.add(name)
        named.append(msgspec.structs.replace(image, file_name=name))
    return named
