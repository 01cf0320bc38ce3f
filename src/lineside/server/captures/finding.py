"""Finding captures among millions: every filter has an index that is in the order of arrival, and counting is bounded.

    request                       narrows to one collection
    device [+ strategy or model]  narrows to what one device sent
    model [+ strategy]            narrows to what one model decided
    strategy                      narrows to one reason

What else is asked for is looked at in the rows of the narrowest, and hidden from the database's planner, which would
otherwise walk through all captures of a model to find one device's.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from lineside.contract.capture import CaptureFilter, CapturePage
from lineside.contract.errors import LinesideError
from lineside.server.captures.store import CaptureCountRow, CaptureRow
from lineside.server.database.hidden import hidden

COUNTED = 10_000
"""Nobody counts captures beyond, where the count is not kept anyway."""

_INDEXED: tuple[tuple[str, ...], ...] = (
    ("request",),
    ("device", "strategy"),
    ("device", "model"),
    ("device",),
    ("model", "strategy"),
    ("model",),
    ("strategy",),
)
"""What an index narrows to, the narrowest first."""


def page(session: Session, which: CaptureFilter, offset: int, limit: int, before: str | None = None) -> CapturePage:
    """Uploaded captures, newest first, from `offset`, or from `before` (the `next` of the page before). Raises
    `request.invalid` for another `before`."""
    found = select(CaptureRow.id).where(*_conditions(which))
    total, more = _count(session, which, found)
    if before is not None:
        found = found.where(_older(before))
    order = CaptureRow.uploaded_at.desc(), CaptureRow.id.desc()
    ids = found.order_by(*order).offset(offset).limit(limit).subquery()
    rows = session.scalars(select(CaptureRow).join(ids, ids.c.id == CaptureRow.id).order_by(*order)).all()
    captures = tuple(row.value() for row in rows)
    after = f"{rows[-1].uploaded_at} {rows[-1].id}" if len(rows) == limit else None
    return CapturePage(captures=captures, total=total, more=more, next=after)


def _conditions(which: CaptureFilter) -> list[ColumnElement[bool]]:
    since = CaptureRow.uploaded_at > (which.since or "")  # those that were not uploaded have no time
    conditions = [since] if which.until is None else [since, CaptureRow.uploaded_at <= which.until]
    asked = {name: getattr(which, name) for name in ("request", "device", "model", "strategy")}
    named = frozenset(name for name, value in asked.items() if value is not None)
    narrowest = next((shown for shown in _INDEXED if set(shown) <= named), ())
    for name in sorted(named):
        column = getattr(CaptureRow, name)
        conditions.append((column if name in narrowest else hidden(column)) == asked[name])
    return conditions


def _older(before: str) -> ColumnElement[bool]:
    at, _, id_ = before.partition(" ")
    if not id_:
        raise LinesideError("request.invalid", why=f"{before[:80]!r} is no place in the list of captures")
    same = and_(CaptureRow.uploaded_at == at, CaptureRow.id < id_)
    return and_(CaptureRow.uploaded_at <= at, or_(CaptureRow.uploaded_at < at, same))


def _count(session: Session, which: CaptureFilter, found: Select[Any]) -> tuple[int, bool]:
    """How many there are, and whether there are more than that."""
    if which.device is which.request is which.since is which.until is None:
        kept = select(func.sum(CaptureCountRow.count))
        if which.strategy is not None:
            kept = kept.where(CaptureCountRow.strategy == which.strategy)
        if which.model is not None:
            kept = kept.where(CaptureCountRow.model == which.model)
        return int(session.scalar(kept) or 0), False
    counted = session.scalar(select(func.count()).select_from(found.limit(COUNTED + 1).subquery())) or 0
    return min(counted, COUNTED), counted > COUNTED
