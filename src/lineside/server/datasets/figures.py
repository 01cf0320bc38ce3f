"""Figures of dataset versions, counted once: a version never changes.

When one day other things are counted, or a look holds something else of a picture, the migration that comes with it
empties the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.dataset import DatasetVersion, ImageRecord
from lineside.contract.dataset_check import DatasetStats
from lineside.server.database import Base, Json
from lineside.server.database.upserts import add_missing
from lineside.server.datasets.counting import Counting
from lineside.server.datasets.pictures.looks import looks

_AT_ONCE = 500


class FiguresRow(Base):
    """What a version comes to."""

    __tablename__ = "dataset_figures"

    dataset: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    figures: Mapped[DatasetStats] = mapped_column(Json(DatasetStats))


def figures_of(session: Session, dataset: str) -> DatasetStats | None:
    """The figures that are kept of a version."""
    return session.scalar(select(FiguresRow.figures).where(FiguresRow.dataset == dataset))


def count(session: Session, version: DatasetVersion, images: Iterable[ImageRecord]) -> tuple[DatasetStats, bool]:
    """The figures of a version from its images, and whether they are final: a picture that was not looked at since it
    was imported has no brightness yet."""
    counting, final = Counting(), True
    for some in _batches(images):
        known = looks(session, {image.digest for image in some})
        for image in some:
            look = known.get(image.digest)
            counting.add(image, look.brightness if look else None)
            final = final and look is not None
    return counting.value(version), final


def keep_figures(session: Session, figures: DatasetStats) -> None:
    """Keep what a version comes to."""
    add_missing(session, FiguresRow, [{"dataset": figures.dataset, "figures": figures}])


def _batches(images: Iterable[ImageRecord]) -> Iterator[list[ImageRecord]]:
    remaining = iter(images)
    while some := list(islice(remaining, _AT_ONCE)):
        yield some
