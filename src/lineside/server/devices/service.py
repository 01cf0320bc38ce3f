"""Use cases of the devices room: show devices. How they join is in `joining`, how they prove who they are in `proving`,
what people decide about them in `standing`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.device import Device, DevicePage, DeviceState
from lineside.contract.errors import LinesideError
from lineside.contract.facts import LABELS
from lineside.server.clock import rfc3339
from lineside.server.devices import listing
from lineside.server.devices.conflicts import Conflicts, NoConflicts
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.labels import labels_of
from lineside.server.devices.listing import Filter
from lineside.server.devices.store import DeviceRow, ends_of, groups_of
from lineside.server.services import Core


class Devices:
    """All devices of this control plane, as they are shown."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._desired = DesiredDocuments(core)
        self.conflicts: Conflicts = NoConflicts()  # the rollouts room's, by `app.py`

    def page(self, which: Filter, after: str = "", limit: int = 100, total: int | None = None) -> DevicePage:
        """Devices by name, those after a name; they are counted unless `total` says it.

        Raises `request.invalid`, `selector.invalid`.
        """
        if not 0 < limit <= listing.MOST:
            raise LinesideError("request.invalid", why=f"limit must be 1 to {listing.MOST}")
        if not all(text.isprintable() for text in (after, *msgspec.structs.astuple(which))):
            raise LinesideError("request.invalid", why="no name, word or selector has such characters")
        with self._core.database.read() as session:
            cutoff = self.cutoff()
            rows = listing.page(session, which, cutoff, after, limit + 1)
            more = rows[limit - 1][0].name if len(rows) > limit else None
            found = self._shown(session, rows[:limit])
            total = listing.count(session, which, cutoff) if total is None else total
            return DevicePage(devices=tuple(found), total=total, next=more)

    def get(self, name: str) -> Device:
        """One device. Raises `request.not_found`."""
        with self._core.database.read() as session:
            rows = session.execute(listing.shown(self.cutoff()).where(DeviceRow.name == name)).all()
            if not rows:
                raise LinesideError("request.not_found", what="device", name=name)
            shown = self._shown(session, rows)[0]
            wanted = self._desired.desired(session, name).components
            conflict = self.conflicts.of(session, [name]).get(name)
            return msgspec.structs.replace(shown, wanted=wanted, conflict=conflict)

    def counts(self, which: Filter | None = None) -> listing.Counts:
        """How many devices there are by the one word for each. Raises `selector.invalid`."""
        with self._core.database.read() as session:
            return listing.counts(session, which or Filter(), self.cutoff())

    def squares(self, limit: int) -> Sequence[Any]:
        """(name, word, number of conditions) of the first devices by name."""
        with self._core.database.read() as session:
            return listing.squares(session, self.cutoff(), limit)

    def troubled(self, limit: int) -> Sequence[Device]:
        """Devices that a person should look at, by name."""
        with self._core.database.read() as session:
            return self._shown(session, listing.troubled(session, self.cutoff(), limit))

    def cutoff(self) -> str:
        """The moment since when a device must have been heard of, else it is offline (RFC 3339)."""
        return rfc3339(self._core.clock.now() - timedelta(seconds=self._core.settings.silence_seconds))

    def _shown(self, session: Session, rows: Sequence[Any]) -> Sequence[Device]:
        names = [row[0].name for row in rows]
        groups, ends, labels = groups_of(session, names), ends_of(session, names), labels_of(session, names)
        return [
            _device(
                *row,
                groups=groups.get(row[0].name, ()),
                certificate_ends=ends.get(row[0].name),
                labels=labels.get(row[0].name, ()),
            )
            for row in rows
        ]


def _device(row: DeviceRow, summary: str, healthy: bool, revision: int, **of_it: Any) -> Device:
    return Device(
        name=row.name,
        state=DeviceState(row.state),
        twin=row.twin,
        joined_at=row.joined_at,
        last_seen=row.last_seen,
        desired_revision=revision,
        healthy=healthy,
        summary=summary,
        fingerprint=row.fingerprint,
        asked_from=row.asked_from,
        state_at=row.state_at,
        state_why=row.state_why,
        report=row.report,
        facts={key: value for key, value in row.facts.items() if key != LABELS},
        **of_it,
    )
