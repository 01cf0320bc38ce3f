"""Operations of people's API about what results come to, and about which versions run where."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.measure import Adoption, Measures
from lineside.contract.telemetry import DeviceTelemetry


class Measuring(Calls):
    """What results come to; versions over time."""

    def measures(self, *, model: str | None = None, device: str | None = None, hours: int = 24) -> list[Measures]:
        """What the results of the last hours come to, by model file; of one model (NAME or NAME:VERSION) or device."""
        query = {"model": model, "device": device, "hours": hours}
        return self.connection.call("GET", "/measures", list[Measures], query=query)

    def device_telemetry(self, device: str, *, hours: int = 3) -> DeviceTelemetry:
        """How a device's runtimes did in the last hours: by minute up to three of them, by hour beyond."""
        query = {"hours": hours}
        return self.connection.call("GET", path("devices", device, "telemetry"), DeviceTelemetry, query=query)

    def adoptions(self) -> list[Adoption]:
        """Which versions of each component run on how many devices now."""
        return self.connection.call("GET", "/adoption", list[Adoption])

    def adoption(self, name: str) -> Adoption:
        """The versions of one component over time."""
        return self.connection.call("GET", path("adoption", name), Adoption)
