"""What other rooms ask of reviews: how many there are, and what was predicted beside what people found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lineside.contract.capture import CaptureRecord
from lineside.contract.dataset import Box
from lineside.contract.result import Detection
from lineside.contract.review import ReviewState
from lineside.server.captures.store import CaptureRow
from lineside.server.review.store import ItemRow

_AT_ONCE = 500


@dataclass(frozen=True)
class Reviewed:
    """One reviewed capture: what the model found (with confidence), and what people say is there."""

    record: CaptureRecord
    labels: tuple[Box, ...]
    reviewed_at: str
    width: int  # pixels of the upright picture
    height: int

    @property
    def predicted(self) -> tuple[Detection, ...]:
        """The model's detections."""
        return self.record.result.detections if self.record.result is not None else ()


def reviewed(session: Session, since: str = "", model: str | None = None) -> dict[str, int]:
    """How many captures were reviewed after a time (RFC 3339, as `clock.rfc3339` writes it), by strategy."""
    query = select(ItemRow.strategy, func.count()).where(ItemRow.reviewed_at > since)
    if model is not None:
        query = query.where(ItemRow.model == model)
    return {row[0]: row[1] for row in session.execute(query.group_by(ItemRow.strategy))}


def reviews_of(
    session: Session, *, strategy: str = "random", model: str | None = None, version: int | None = None, since: str = ""
) -> Iterator[Reviewed]:
    """Reviewed captures of a strategy that a model looked at, in the order they were reviewed in; a few hundred at a
    time are in memory. `model` is its name; without one, those of every model."""
    query = (
        select(ItemRow, CaptureRow.record)
        .join(CaptureRow, CaptureRow.id == ItemRow.capture)
        .where(ItemRow.strategy == strategy, ItemRow.state == ReviewState.REVIEWED.value, ItemRow.model != "")
        .order_by(ItemRow.reviewed_at, ItemRow.capture)
    )
    if model is not None:
        query = query.where(ItemRow.model == model)
    if version is not None:
        query = query.where(ItemRow.version == version)
    at, capture = since, ""
    while True:
        later = (ItemRow.reviewed_at > at) | ((ItemRow.reviewed_at == at) & (ItemRow.capture > capture))
        rows = session.execute(query.where(later if capture else ItemRow.reviewed_at > at).limit(_AT_ONCE)).all()
        for item, record in rows:
            yield Reviewed(record, item.labels or (), item.reviewed_at or "", item.width, item.height)
        if len(rows) < _AT_ONCE:
            return
        at, capture = rows[-1][0].reviewed_at or "", rows[-1][0].capture
