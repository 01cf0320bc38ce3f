"""Which devices something is done to: those that are named, or those that a selector selects."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.group import Which
from lineside.contract.selector import parse
from lineside.server.devices.labels import AT_ONCE, selected
from lineside.server.devices.store import DeviceRow

MOST = 100_000
_NAMED = 3  # devices that a sentence names


def chosen(session: Session, which: Which) -> list[str]:
    """Their names, sorted. Raises `group.no_devices`, `request.not_found`, `selector.invalid`."""
    if which.selector is not None and which.devices:
        raise LinesideError("group.no_devices", why="there are names, and a selector too")
    if which.selector is not None:
        if not which.selector.strip():
            raise LinesideError("group.no_devices", why="the selector is empty")
        query = select(DeviceRow.name).where(selected(parse(which.selector)))
        return list(session.scalars(query.order_by(DeviceRow.name)))
    if not 0 < len(which.devices) <= MOST:
        raise LinesideError("group.no_devices", why=f"1 to {MOST} names at once")
    names = sorted(set(which.devices))
    there: set[str] = set()
    for start in range(0, len(names), AT_ONCE):
        some = [name for name in names[start : start + AT_ONCE] if name.isprintable()]
        there |= set(session.scalars(select(DeviceRow.name).where(DeviceRow.name.in_(some))))
    for name in names:
        if name not in there:
            raise LinesideError("request.not_found", what="device", name=name[:80])
    return names


def said(which: Which, names: Sequence[str]) -> str:
    """Which devices, in words, for the record."""
    if which.selector is not None:
        return f"{len(names)} selected by {which.selector}"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
