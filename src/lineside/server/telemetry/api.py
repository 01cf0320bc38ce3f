"""People's API of the telemetry room."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from lineside.contract.measure import Adoption, Measures
from lineside.contract.result import ResultPage
from lineside.contract.telemetry import DeviceTelemetry
from lineside.server.telemetry.adoption import KEPT_HOURS
from lineside.server.telemetry.service import ResultsService
from lineside.server.telemetry.telemetry_service import MOST_HOURS, TelemetryService


@get("/results", sync_to_thread=True, summary="Results, oldest first")
def list_results(
    results: NamedDependency[ResultsService],
    after: Annotated[int | None, QueryParameter(ge=0, le=2**53)] = None,
    device: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> ResultPage:
    """Those after id `after`; without it the newest `limit`."""
    return results.page(after, device, limit)


@get("/measures", sync_to_thread=True, summary="What results come to, by model file")
def list_measures(
    results: NamedDependency[ResultsService],
    model: Annotated[str | None, QueryParameter(max_length=80)] = None,
    device: Annotated[str | None, QueryParameter(max_length=64)] = None,
    hours: Annotated[int, QueryParameter(ge=1, le=KEPT_HOURS)] = 24,
) -> list[Measures]:
    """Of the last hours: latency, confidences, classes, agreement with the model before. Newest model first."""
    return results.measures(hours, model, device)


@get("/adoption", sync_to_thread=True, summary="Which versions run on how many devices now")
def list_adoption(results: NamedDependency[ResultsService]) -> list[Adoption]:
    """By component, the most widely run first."""
    return results.adoptions()


@get("/adoption/{name:str}", sync_to_thread=True, summary="Versions of one component over time")
def get_adoption(name: FromPath[str], results: NamedDependency[ResultsService]) -> Adoption:
    """Accepted devices by version. A point holds until the next; one is stored, within a minute, where it changed."""
    return results.adoption(name)


@get("/devices/{name:str}/telemetry", sync_to_thread=True, summary="How a device's runtimes do")
def get_telemetry(
    name: FromPath[str],
    telemetry: NamedDependency[TelemetryService],
    hours: Annotated[int, QueryParameter(ge=1, le=MOST_HOURS)] = 3,
) -> DeviceTelemetry:
    """Throughput, latency, queue, frames left out, memory, temperature: by minute up to 3 hours, by hour beyond."""
    return telemetry.of(name, hours)


routes = [list_results, list_measures, list_adoption, get_adoption, get_telemetry]
