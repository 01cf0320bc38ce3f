"""What can be found out about dataset versions: checks, figures, differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.orm import Session

from lineside.contract.dataset import DatasetVersion
from lineside.contract.dataset_check import (
    Change,
    CheckReport,
    DatasetDiff,
    DatasetStats,
    ImageChange,
    JudgedSplit,
)
from lineside.contract.gate import Level
from lineside.server.clock import rfc3339
from lineside.server.datasets import store
from lineside.server.datasets.checking import Findings, at_random, judged, leaks
from lineside.server.datasets.differing import Difference, detail, differences, places
from lineside.server.datasets.figures import count, figures_of, keep_figures
from lineside.server.datasets.pictures.looks import patches_on_disk
from lineside.server.datasets.service import DatasetsService
from lineside.server.services import Core


class Inspections:
    """Checks, figures and differences of dataset versions; each may be named by id or name."""

    def __init__(self, core: Core, datasets: DatasetsService) -> None:
        self._core = core
        self._datasets = datasets

    def check(self, dataset: str, split: JudgedSplit) -> CheckReport:
        """Look for problems of labels and for leaks. What is found of the version's own split is kept, so that its
        images can be looked for. Raises `request.not_found`."""
        version, findings = self._datasets.version(dataset), Findings()
        with self._core.database.read() as session:
            images = list(judged(store.all_images(session, version.id), findings))
        seen = self._datasets.looks.of(image.digest for image in images)
        images.sort(key=lambda image: image.digest not in seen)  # what does not decode is last and has no patch
        digests = [image.digest for image in images if image.digest in seen]
        patches = patches_on_disk(self._core.database, digests, self._core.root)
        own = split is JudgedSplit.OWN
        leaks(images, [image.side for image in images] if own else at_random(images), patches, findings)
        found = findings.found()
        report = CheckReport(
            dataset=version.id,
            split=split,
            checked_at=rfc3339(self._core.clock.now()),
            images=version.images,
            boxes=version.boxes,
            findings=found,
            blocked=any(finding.level is Level.BLOCK for finding in found),
        )
        if own:
            with self._core.database.write() as session:
                store.keep_check(session, report, findings.positions)
        return report

    def checked(self, dataset: str) -> CheckReport | None:
        """What the newest check of a version's own split found."""
        with self._core.database.read() as session:
            return store.check_of(session, dataset)

    def stats(self, dataset: str) -> DatasetStats:
        """Figures. Raises `request.not_found`."""
        version = self._datasets.version(dataset)
        with self._core.database.read() as session:
            kept = figures_of(session, version.id)
            if kept is not None:
                return kept
            figures, final = count(session, version, (image for _, image in store.all_images(session, version.id)))
        if final:  # a version of before figures were kept
            with self._core.database.write() as session:
                keep_figures(session, figures)
        return figures

    def diff(self, before: str, after: str, change: Change | None, offset: int, limit: int) -> DatasetDiff:
        """What became of one version in another: all changes or those of one kind, in a slice.

        Raises `request.not_found`.
        """
        old, new = self._datasets.version(before), self._datasets.version(after)
        for version in (old, new):
            self._fill_labels(version)
        with self._core.database.read() as session:
            found = differences(*(places(store.compared(session, one.id)) for one in (old, new)))
            wanted = [one for one in found if change is None or one.change is change]
            changes = _said(session, old, new, wanted[offset : offset + limit])
        kinds = Counter(one.change for one in found)
        return DatasetDiff(
            before=old,
            after=new,
            classes_added=tuple(label for label in new.classes if label not in old.classes),
            classes_removed=tuple(label for label in old.classes if label not in new.classes),
            counts={kind.value: kinds[kind] for kind in Change},
            changes=changes,
            offset=offset,
            total=len(wanted),
        )

    def _fill_labels(self, version: DatasetVersion) -> None:
        with self._core.database.read() as session:
            lacking = store.lacks_labels(session, version.id)
        if lacking:
            with self._core.database.write() as session:
                store.fill_labels(session, version.id)


def _said(
    session: Session, old: DatasetVersion, new: DatasetVersion, some: Sequence[Difference]
) -> tuple[ImageChange, ...]:
    befores = store.images_at(session, old.id, [one.before for one in some if one.before is not None])
    afters = store.images_at(session, new.id, [one.after for one in some if one.after is not None])
    said = []
    for one in some:
        before = befores[one.before] if one.before is not None else None
        after = afters[one.after] if one.after is not None else None
        image = after or before
        if image is not None:
            said.append(
                ImageChange(
                    change=one.change,
                    digest=image.digest,
                    file_name=image.file_name,
                    detail=detail(one.change, before, after),
                    width=image.width,
                    height=image.height,
                    before=before.boxes if before else (),
                    after=after.boxes if after else (),
                )
            )
    return tuple(said)
