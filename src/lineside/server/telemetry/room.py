"""The telemetry room as the app sees it."""

from __future__ import annotations

from lineside.server.services import Core, Loop, Room
from lineside.server.telemetry import api, pages
from lineside.server.telemetry.adoption import AdoptionLoop
from lineside.server.telemetry.evidence import ResultEvidence
from lineside.server.telemetry.service import ResultsService


def room(core: Core) -> Room:
    """Results as they arrive by MQTT, and what they come to. Adoption is looked at once a minute."""
    results = ResultsService(core)
    return Room(
        services={"results": results, "result_evidence": ResultEvidence(core)},
        people=api.routes,
        pages=pages.routes,
        loops=(Loop("adoption", AdoptionLoop(core).step, seconds=60.0),),
        on_result=results.receive,
    )
