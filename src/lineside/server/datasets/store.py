"""Tables of the datasets room: versions, and one row an image so that pages are cut by the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, Index, String, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.dataset import DatasetVersion, ImageRecord, Split
from lineside.server.database import Base, Json


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
    __table_args__ = (Index("ix_dataset_images_split", "dataset", "split", "position"),)

    dataset: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    split: Mapped[str] = mapped_column(String(8))
    record: Mapped[ImageRecord] = mapped_column(Json(ImageRecord))


def version_by_digest(session: Session, digest: str) -> DatasetVersion | None:
    """The version with this content."""
    return session.scalar(select(DatasetRow.version).where(DatasetRow.digest == digest))


def version_by_id(session: Session, dataset: str) -> DatasetVersion | None:
    """The version of this id."""
    return session.scalar(select(DatasetRow.version).where(DatasetRow.id == dataset))


def versions(session: Session) -> list[DatasetVersion]:
    """All versions, newest first."""
    return list(session.scalars(select(DatasetRow.version).order_by(DatasetRow.created_at.desc(), DatasetRow.id)))


def add_version(session: Session, version: DatasetVersion, images: Sequence[ImageRecord]) -> None:
    """Store a version with all its images."""
    session.add(DatasetRow(id=version.id, digest=version.digest, created_at=version.created_at, version=version))
    session.flush()
    rows = [
        {"dataset": version.id, "position": at, "split": image.split.value, "record": image}
        for at, image in enumerate(images)
    ]
    session.execute(insert(ImageRow), rows)


def image_slice(
    session: Session, dataset: str, split: Split | None, offset: int, limit: int
) -> tuple[tuple[ImageRecord, ...], int]:
    """Images in the version's order from `offset`, and how many there are in all."""
    query = select(ImageRow.record).where(ImageRow.dataset == dataset)
    count = select(func.count()).select_from(ImageRow).where(ImageRow.dataset == dataset)
    if split is not None:
        query, count = query.where(ImageRow.split == split.value), count.where(ImageRow.split == split.value)
    found = session.scalars(query.order_by(ImageRow.position).offset(offset).limit(limit))
    return tuple(found), session.scalar(count) or 0
