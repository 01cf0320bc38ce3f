"""Facts that come with a check-in: written when something worth knowing has changed, and groups follow them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from lineside.contract.errors import LinesideError
from lineside.contract.facts import LABELS, selectable, suggested
from lineside.server.devices.labels import MOST, check_label, rewrite
from lineside.server.devices.membership import follow_device
from lineside.server.devices.store import DeviceRow


def remember(session: Session, row: DeviceRow, said: Mapping[str, Any]) -> bool:
    """Keep what a report or a join says about the device; whether anything changed. Cheap when nothing did."""
    facts = selectable(said, {key: value for key, value in row.facts.items() if key != LABELS})
    labels = _checked(suggested(said)) if LABELS in said else dict(row.facts.get(LABELS, {}))
    known: dict[str, Any] = facts | ({LABELS: labels} if labels else {})
    if known == row.facts:
        return False
    row.facts = known
    row.os, row.architecture = facts.get("os", "")[:32], facts.get("arch", "")[:32]
    row.time_zone = facts.get("time_zone", "")[:64]
    follow_device(session, row.name, rewrite(session, row.name, facts, labels))
    return True


def _checked(labels: Mapping[str, Any]) -> dict[str, str]:
    """What can be a label; a device that hands in anything else is not worth an error that nobody reads."""
    found = {}
    for key, value in sorted(labels.items())[:MOST]:
        try:
            check_label(key, str(value))
        except LinesideError:
            continue
        found[key] = str(value)
    return found
