"""Near-duplicates among captures: those of one device that came lately are compared with what it sends now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.server.datasets.pictures.looks import patches
from lineside.server.datasets.pictures.near_duplicates import Pair, judge
from lineside.server.review.store import ItemRow

if TYPE_CHECKING:
    from lineside.server.datasets.pictures.patches import Patch

LATELY = 24
"""Captures of a device that a new one is compared with."""


def lately(session: Session, device: str) -> list[tuple[str, str, Patch]]:
    """The last captures of a device: digest, the first of its near-duplicates, patch; the oldest first."""
    query = select(ItemRow.digest, ItemRow.alike).where(ItemRow.device == device, ItemRow.width > 0)
    rows = session.execute(query.order_by(ItemRow.arrival.desc()).limit(LATELY)).all()
    known = patches(session, [row.digest for row in rows])
    return [(row.digest, row.alike, known[row.digest]) for row in reversed(rows) if row.digest in known]


def like(earlier: Sequence[tuple[str, Patch]], new: Sequence[tuple[str, Patch]]) -> list[str]:
    """For each new picture the first of its near-duplicates: what the earlier one that it resembles most has, or its
    own name. `earlier`: (the first of its near-duplicates, patch), `new`: (name, patch)."""
    import numpy as np

    from lineside.server.datasets.pictures.correlating import correlations

    everything = [patch for _, patch in (*earlier, *new)]
    found: list[Pair] = []
    for at in range(len(earlier), len(everything)):
        others = np.arange(max(0, at - LATELY), at)
        if len(others):
            scores = correlations(everything, others, np.full(len(others), at))
            found += [Pair(int(other), at, float(score)) for other, score in zip(others, scores, strict=True)]
    level, _ = judge(len(everything), found)
    names = [name for name, _ in earlier]
    for at, (name, _) in enumerate(new, len(earlier)):
        best = max((pair for pair in found if pair.second == at), key=lambda pair: pair.score, default=None)
        names.append(names[best.first] if best is not None and best.score >= level else name)
    return names[len(earlier) :]
