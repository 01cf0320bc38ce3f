"""A fleet of rows: devices with labels and facts, as many as a test wants."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from lineside.contract.facts import selectable
from lineside.contract.selector import number_of
from lineside.server.clock import rfc3339
from lineside.server.devices.labels import LabelRow, Origin
from lineside.server.devices.membership import NamedGroupRow, ensure_group
from lineside.server.devices.store import DeviceRow, GroupRow
from lineside.server.services import Core


def add_devices(
    core: Core,
    devices: Mapping[str, Mapping[str, str]],
    *,
    group: str = "default",
    facts: Mapping[str, Any] | None = None,
    **columns: Any,
) -> None:
    """Accepted devices in a group, with these labels, set by a person."""
    now = rfc3339(core.clock.now())
    said = selectable(facts or {})
    rows = [_device(name, now, dict(said)) | columns for name in devices]
    labels = [
        _label(name, key, value, origin)
        for name, given in devices.items()
        for origin, values in ((Origin.PERSON, given), (Origin.FACT, said))
        for key, value in values.items()
    ]
    with core.database.write() as session:
        ensure_group(session, group, now)
        session.execute(insert(DeviceRow), rows)
        session.execute(insert(GroupRow), [{"device": name, "group": group} for name in devices])
        if labels:
            session.execute(insert(LabelRow), labels)


def add_group(session: Session, name: str, selector: str | None) -> None:
    """A group, and nobody in it yet."""
    session.add(NamedGroupRow(name=name, selector=selector, description="", created_at="2026-01-01T00:00:00.000Z"))
    session.flush()


def members(core: Core, group: str) -> Sequence[str]:
    """Who is in a group, by name."""
    with core.database.read() as session:
        rows = session.query(GroupRow.device).where(GroupRow.group == group).order_by(GroupRow.device)
        return [row.device for row in rows]


def mixed() -> dict[str, dict[str, str]]:
    """Labels of devices, one device of each mix."""
    values = ["", "berlin", 'a "b"'], ["", "3", "4", "x"], ["", "999", "4096.5"], ["", "1.9.0", "1.10"]
    keys = ("site", "line", "memory_mb", "agent_version")
    return {
        f"d{number:03}": {key: value for key, value in zip(keys, mix, strict=True) if value}
        for number, mix in enumerate(itertools.product(*values))
    }


def _device(name: str, now: str, facts: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "state": "accepted",
        "twin": False,
        "key": "",
        "certificate": "",
        "token": "",
        "facts": facts,
        "joined_at": now,
        "last_seen": now,
        "fingerprint": f"fingerprint of {name}",
    }


def _label(device: str, key: str, value: str, origin: Origin) -> dict[str, Any]:
    number = number_of(key, value)
    return {"device": device, "key": key, "value": value, "number": number, "origin": origin.value}
