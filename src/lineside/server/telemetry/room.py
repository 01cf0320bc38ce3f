"""The telemetry room as the app sees it."""

from __future__ import annotations

from lineside.contract.drift import is_drift
from lineside.server.services import Core, Loop, Room
from lineside.server.telemetry import api, pages
from lineside.server.telemetry.adoption import AdoptionLoop
from lineside.server.telemetry.evidence import ResultEvidence
from lineside.server.telemetry.service import ResultsService
from lineside.server.telemetry.telemetry_service import TelemetryService
from lineside.server.telemetry.told import is_telemetry


def room(core: Core) -> Room:
    """Results and telemetry as they arrive by MQTT, and what they come to. Adoption is looked at once a minute."""
    results, telemetry = ResultsService(core), TelemetryService(core)

    def receive(device: str, payload: bytes) -> None:
        if is_drift(payload):
            return  # another room's
        (telemetry if is_telemetry(payload) else results).receive(device, payload)

    return Room(
        services={"results": results, "telemetry": telemetry, "result_evidence": ResultEvidence(core)},
        people=api.routes,
        pages=pages.routes,
        loops=(Loop("adoption", AdoptionLoop(core).step, seconds=60.0),),
        on_result=receive,
    )
