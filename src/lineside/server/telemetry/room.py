"""The telemetry room as the app sees it."""

from __future__ import annotations

from lineside.server.services import Core, Room
from lineside.server.telemetry import api, pages
from lineside.server.telemetry.service import ResultsService


def room(core: Core) -> Room:
    """Results as they arrive by MQTT."""
    results = ResultsService(core)
    return Room(services={"results": results}, people=api.routes, pages=pages.routes, on_result=results.receive)
