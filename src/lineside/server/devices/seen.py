"""When devices were last heard of: kept in memory, written for all of them at once every few seconds.

Each check-in as a write of its own would cost an fsync. What is lost when the control plane is killed is a few seconds
of what people see, far less than the silence after which a device counts as offline. A device that was silent for so
long is written down before it is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy import BindParameter, bindparam, or_, update

from lineside.server.clock import rfc3339
from lineside.server.database.together import Together
from lineside.server.devices.model import is_offline
from lineside.server.devices.store import DeviceRow
from lineside.server.services import Core

SECONDS = 5.0
"""How long it is kept in memory at most."""

_Notes = dict[str, str]  # device ► when
_AT: BindParameter[str] = bindparam("at")
_LATER = or_(DeviceRow.last_seen.is_(None), DeviceRow.last_seen < _AT)
_NOTE = update(DeviceRow).where(DeviceRow.name == bindparam("device"), _LATER).values(last_seen=_AT)

_log = structlog.get_logger("lineside.devices")


class Seen:
    """Who was heard of when."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._notes: _Notes = {}
        self._write = Together[_Notes, None]("seen", self._write_all)
        self._soon: asyncio.Task[None] | None = None

    async def hear(self, device: str, last_seen: str | None) -> None:
        """A device asks, which was last heard of at `last_seen`, as the database says."""
        settings, now = self._core.settings, self._core.clock.now()
        if not is_offline(last_seen, now, max(1.0, settings.poll_seconds / 2)):
            return
        if is_offline(last_seen, now, settings.silence_seconds):
            await self._write({device: rfc3339(now)})
            return
        self._notes[device] = rfc3339(now)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().create_task(self._flush_soon())

    async def flush(self) -> None:
        """Write what is in memory."""
        notes, self._notes = self._notes, {}
        if notes:
            await self._write(notes)

    async def _flush_soon(self) -> None:
        await asyncio.sleep(SECONDS)
        self._soon = None
        try:
            await self.flush()
        except Exception:  # noqa: BLE001 whoever asks next is noted again
            _log.exception("not written when devices were seen")

    def _write_all(self, several: Sequence[_Notes]) -> Sequence[None]:
        notes = sorted((device, at) for notes in several for device, at in notes.items())
        with self._core.database.write() as session:
            session.connection().execute(_NOTE, [{"device": device, "at": at} for device, at in notes])
        return [None] * len(several)
