"""What can be done with telemetry: take what devices tell, and show it."""

from __future__ import annotations

from datetime import timedelta

from lineside.contract.errors import LinesideError
from lineside.contract.telemetry import DeviceTelemetry, point_of
from lineside.server.devices.store import DeviceRow
from lineside.server.services import Core
from lineside.server.telemetry import telemetry_store as store
from lineside.server.telemetry import told

MOST_HOURS = 14 * 24


class TelemetryService:
    """Telemetry of devices. What makes no sense is dropped: nothing correct depends on it."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def receive(self, device: str, payload: bytes) -> None:
        """Take one message, from any thread. Raises `telemetry.invalid`."""
        now = self._core.clock.now()
        message = told.read(device, payload, now)
        with self._core.database.write() as session:
            known = store.components(session, device)
            if message.component not in known and len(known) >= store.MOST_COMPONENTS:
                raise LinesideError("telemetry.invalid", device=device, why="too many components tell of themselves")
            if store.add(session, message):
                session.flush()
                store.drop_old(session, device, now)

    def of(self, device: str, hours: int) -> DeviceTelemetry:
        """The last hours, by minute up to three of them, by hour beyond. Raises `request.not_found`."""
        now, wanted = self._core.clock.now(), timedelta(hours=hours)
        grain = store.MINUTE if wanted <= store.KEPT[store.MINUTE] else store.HOUR
        with self._core.database.read() as session:
            if session.get(DeviceRow, device) is None:
                raise LinesideError("request.not_found", what="device", name=device)
            points = [(at, point_of(each)) for at, each in store.since(session, device, grain, now - wanted)]
            newest = store.newest(session, device)
        points.sort(key=lambda one: (one[0], one[1].component))
        return DeviceTelemetry(device=device, points=tuple(point for _, point in points), newest=tuple(newest))
