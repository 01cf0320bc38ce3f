"""People's API of the telemetry room."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from lineside.contract.result import ResultPage
from lineside.server.telemetry.service import ResultsService


@get("/results", sync_to_thread=True, summary="Results, oldest first")
def list_results(
    results: NamedDependency[ResultsService],
    after: Annotated[int | None, QueryParameter(ge=0, le=2**53)] = None,
    device: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> ResultPage:
    """Those after id `after`; without it the newest `limit`."""
    return results.page(after, device, limit)


routes = [list_results]
