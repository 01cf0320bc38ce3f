"""Pages of the telemetry room: what a device decided last, what a model's results come to, which versions run where."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from lineside.contract.capture import CaptureFilter
from lineside.server.captures.service import CapturesService
from lineside.server.telemetry.service import ResultsService
from lineside.server.web.render import AnyRequest, Page, fragment, page


@get("/devices/{name:str}/last-result", sync_to_thread=True, include_in_schema=False)
def last_result(
    name: FromPath[str], results: NamedDependency[ResultsService], captures: NamedDependency[CapturesService]
) -> Page:
    """The newest result of a device, and the newest picture that it sent: devices send only what they kept."""
    newest, kept = results.page(None, name, 1), captures.page(CaptureFilter(device=name), 0, 1)
    stored = newest.results[-1] if newest.results else None
    capture = kept.captures[0] if kept.captures else None
    measured = results.measures(24, None, name)
    return fragment("devices/last_result.html", stored=stored, capture=capture, total=newest.total, measured=measured)


@get("/models/{name:str}/{version:int}/measures", sync_to_thread=True, include_in_schema=False)
def model_measures(name: FromPath[str], version: FromPath[int], results: NamedDependency[ResultsService]) -> Page:
    """What a model's results of a day come to, as a part of its page."""
    return fragment("telemetry/measures.html", measured=results.measures(24, f"{name}:{version}"[:80]))


@get("/adoption", sync_to_thread=True, include_in_schema=False)
def adoption_page(request: AnyRequest, results: NamedDependency[ResultsService]) -> Page:
    """Which versions run on how many devices."""
    return page(request, "telemetry/adoption.html", here="/adoption", live=True, found=results.adoptions())


@get("/adoption/{name:str}", sync_to_thread=True, include_in_schema=False)
def component_adoption_page(request: AnyRequest, name: FromPath[str], results: NamedDependency[ResultsService]) -> Page:
    """The versions of one component over time."""
    found = results.adoption(name)
    return page(request, "telemetry/component.html", here="/adoption", live=True, found=found)


routes = [last_result, model_measures, adoption_page, component_adoption_page]
