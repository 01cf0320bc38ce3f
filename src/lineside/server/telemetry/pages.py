"""Pages of the telemetry room: the part of a device's page that shows what it decided last."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from lineside.server.captures.service import CapturesService
from lineside.server.telemetry.service import ResultsService
from lineside.server.web.render import Page, fragment


@get("/devices/{name:str}/last-result", sync_to_thread=True, include_in_schema=False)
def last_result(
    name: FromPath[str], results: NamedDependency[ResultsService], captures: NamedDependency[CapturesService]
) -> Page:
    """The newest result of a device, and the newest picture that it sent: devices send only what they kept."""
    page, kept = results.page(None, name, 1), captures.page(name, None, 0, 1)
    stored = page.results[-1] if page.results else None
    capture = kept.captures[0] if kept.captures else None
    return fragment("devices/last_result.html", stored=stored, capture=capture, total=page.total)


routes = [last_result]
