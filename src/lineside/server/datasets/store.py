"""Tables of the datasets room: versions, and one row an image so that pages are cut by the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, ForeignKey, Index, String, delete, func, insert, select, true, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.dataset import DatasetPage, DatasetVersion, ImageRecord, LabelFrom, Split, source_of
from lineside.contract.dataset_check import CheckReport
from lineside.server.database import Base, Json
from lineside.server.database.among import among
from lineside.server.database.upserts import upsert
from lineside.server.datasets.differing import Place, labels_digest
from lineside.server.datasets.figures import count, keep_figures
from lineside.server.datasets.series import SeriesRow, group_key

_AT_ONCE = 500


class DatasetRow(Base):
    """A dataset version; never changed."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    digest: Mapped[str] = mapped_column(String(80), unique=True)
    created_at: Mapped[str] = mapped_column(String(32))
    version: Mapped[DatasetVersion] = mapped_column(Json(DatasetVersion))


class ImageRow(Base):
    """One image of a dataset version, at its place in the version's order."""

    __tablename__ = "dataset_images"
    __table_args__ = (
        Index("ix_dataset_images_split", "dataset", "split", "position"),
        Index("ix_dataset_images_grouping", "dataset", "grouping", "position"),
    )

    dataset: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    split: Mapped[str] = mapped_column(String(8))
    record: Mapped[ImageRecord] = mapped_column(Json(ImageRecord))
    digest: Mapped[str | None] = mapped_column(String(71), index=True)
    grouping: Mapped[str | None] = mapped_column(String(80))  # see `group_key`
    labels: Mapped[str | None] = mapped_column(String(32))  # see `labels_digest`; absent in versions of before


class LabelRow(Base):
    """That an image has boxes of a class, by its place in the version's classes, from a source (see `source_of`)."""

    __tablename__ = "dataset_labels"
    __table_args__ = (
        Index("ix_dataset_labels_label", "dataset", "label", "position"),
        Index("ix_dataset_labels_source", "dataset", "source", "position"),
    )

    dataset: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    label: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String(12), primary_key=True)


class CheckRow(Base):
    """What the newest check of a version's own split found."""

    __tablename__ = "dataset_checks"

    dataset: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    report: Mapped[CheckReport] = mapped_column(Json(CheckReport))


class FindingRow(Base):
    """An image that a finding of that check is about."""

    __tablename__ = "dataset_findings"

    dataset: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    code: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which images of a version are asked for; what is None does not matter. For `source` see `source_of`."""

    split: Split | None = None
    label: str | None = None
    group: str | None = None
    source: LabelFrom | None = None
    finding: str | None = None


def not_tested(session: Session, series: str, keys: Iterable[str]) -> set[str]:
    """Those digests and group keys (see `group_key`) that some version of a series has on another side than test."""
    versions, found = select(SeriesRow.dataset).where(SeriesRow.name == series), set[str]()
    wanted = list(dict.fromkeys(keys))
    for start in range(0, len(wanted), _AT_ONCE):
        for column in (ImageRow.digest, ImageRow.grouping):
            rows = select(column).where(ImageRow.dataset.in_(versions), ImageRow.split != Split.TEST.value)
            some = session.scalars(rows.where(among(column, wanted[start : start + _AT_ONCE])).distinct())
            found |= {key for key in some if key is not None}
    return found


def version_by_digest(session: Session, digest: str) -> DatasetVersion | None:
    """The version with this content."""
    return session.scalar(select(DatasetRow.version).where(DatasetRow.digest == digest))


def version_by_id(session: Session, dataset: str) -> DatasetVersion | None:
    """The version of this id."""
    return session.scalar(select(DatasetRow.version).where(DatasetRow.id == dataset))


def version_slice(session: Session, name: str | None, offset: int, limit: int) -> DatasetPage:
    """Versions from `offset`, newest first; with `name` those of that series."""
    wanted = DatasetRow.id.in_(select(SeriesRow.dataset).where(SeriesRow.name == name)) if name else true()
    order = (DatasetRow.created_at.desc(), DatasetRow.id)
    found = session.scalars(select(DatasetRow.version).where(wanted).order_by(*order).offset(offset).limit(limit))
    count = select(func.count()).select_from(DatasetRow).where(wanted)
    return DatasetPage(versions=tuple(found), offset=offset, total=session.scalar(count) or 0)


def add_version(session: Session, version: DatasetVersion, images: Sequence[ImageRecord]) -> None:
    """Store a version with all its images, and the figures they come to."""
    session.add(DatasetRow(id=version.id, digest=version.digest, created_at=version.created_at, version=version))
    session.flush()
    places = {label: at for at, label in enumerate(version.classes)}
    for start in range(0, len(images), _AT_ONCE):
        numbered = list(enumerate(images[start : start + _AT_ONCE], start))
        rows = [
            {
                "dataset": version.id,
                "position": at,
                "split": image.split.value,
                "record": image,
                "digest": image.digest,
                "grouping": None if image.group is None else group_key(image.group),
                "labels": labels_digest(image),
            }
            for at, image in numbered
        ]
        session.execute(insert(ImageRow), rows)
        labels = {(at, places[box.label], source_of(box).value) for at, image in numbered for box in image.boxes}
        if labels:
            names = ("position", "label", "source")
            found = [{"dataset": version.id} | dict(zip(names, one, strict=True)) for one in sorted(labels)]
            session.execute(insert(LabelRow), found)
    figures, final = count(session, version, images)
    if final:
        keep_figures(session, figures)


def image_slice(
    session: Session, version: DatasetVersion, wanted: Filters, offset: int, limit: int
) -> tuple[tuple[ImageRecord, ...], int]:
    """Images in the version's order from `offset`, and how many there are in all."""
    conditions = _conditions(version, wanted)
    query = select(ImageRow.record).where(*conditions).order_by(ImageRow.position).offset(offset).limit(limit)
    count = select(func.count()).select_from(ImageRow).where(*conditions)
    return tuple(session.scalars(query)), session.scalar(count) or 0


def _conditions(version: DatasetVersion, wanted: Filters) -> list[ColumnElement[bool]]:
    dataset = version.id
    conditions = [ImageRow.dataset == dataset]
    if wanted.split is not None:
        conditions.append(ImageRow.split == wanted.split.value)
    if wanted.group is not None:
        conditions.append(ImageRow.grouping == group_key(wanted.group))
    labels = select(LabelRow.position).where(LabelRow.dataset == dataset)
    if wanted.label is not None:
        labels = labels.where(LabelRow.label == version.classes.index(wanted.label))
    if wanted.source is not None:
        labels = labels.where(LabelRow.source == wanted.source.value)
    if wanted.label is not None or wanted.source is not None:
        conditions.append(ImageRow.position.in_(labels))
    if wanted.finding is not None:
        findings = select(FindingRow.position).where(FindingRow.dataset == dataset, FindingRow.code == wanted.finding)
        conditions.append(ImageRow.position.in_(findings))
    return conditions


def all_images(session: Session, dataset: str) -> Iterator[tuple[int, ImageRecord]]:
    """Every image with its position, in the version's order; a few hundred at a time are in memory."""
    query = select(ImageRow.position, ImageRow.record).where(ImageRow.dataset == dataset).order_by(ImageRow.position)
    after = -1
    while rows := session.execute(query.where(ImageRow.position > after).limit(_AT_ONCE)).all():
        yield from ((position, record) for position, record in rows)
        after = rows[-1][0]


def images_at(session: Session, dataset: str, positions: Sequence[int]) -> dict[int, ImageRecord]:
    """The images at some positions; for a few hundred."""
    query = select(ImageRow.position, ImageRow.record).where(ImageRow.dataset == dataset)
    rows = session.execute(query.where(ImageRow.position.in_(positions)))
    return {row.position: row.record for row in rows}


def compared(session: Session, dataset: str) -> Iterator[tuple[str, Place]]:
    """Every picture's digest and what of it is compared with another version, in the version's order."""
    query = select(ImageRow.digest, ImageRow.position, ImageRow.split, ImageRow.labels)
    rows = session.execute(query.where(ImageRow.dataset == dataset).order_by(ImageRow.position))
    for digest, position, side, labels in rows:
        yield digest or "", Place(position, side, labels or "")


def fill_labels(session: Session, dataset: str) -> None:
    """Give the images of a version that was stored before labels had digests theirs."""
    lacking = select(ImageRow.position, ImageRow.record).where(ImageRow.dataset == dataset, ImageRow.labels.is_(None))
    while rows := session.execute(lacking.order_by(ImageRow.position).limit(_AT_ONCE)).all():
        said = [{"dataset": dataset, "position": at, "labels": labels_digest(image)} for at, image in rows]
        session.execute(update(ImageRow), said)


def lacks_labels(session: Session, dataset: str) -> bool:
    """Whether a version was stored before labels had digests."""
    first = select(ImageRow.labels).where(ImageRow.dataset == dataset).order_by(ImageRow.position).limit(1)
    return session.scalars(first).one_or_none() is None


def keep_check(session: Session, report: CheckReport, positions: Mapping[str, Iterable[int]]) -> None:
    """Keep what a check found, in place of what the one before did."""
    upsert(session, CheckRow, [{"dataset": report.dataset, "report": report}])
    session.execute(delete(FindingRow).where(FindingRow.dataset == report.dataset))
    for code, images in positions.items():
        rows = [{"dataset": report.dataset, "code": code, "position": at} for at in sorted(images)]
        session.execute(insert(FindingRow), rows)


def check_of(session: Session, dataset: str) -> CheckReport | None:
    """What the newest check found."""
    return session.scalar(select(CheckRow.report).where(CheckRow.dataset == dataset))
