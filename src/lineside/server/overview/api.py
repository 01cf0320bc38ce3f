"""People's API of the overview."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from lineside.contract.overview import Overview
from lineside.server.overview.service import OverviewService


@get("/overview", sync_to_thread=True, summary="The loop with a live count at each stage")
def get_overview(overview: NamedDependency[OverviewService]) -> Overview:
    """And what needs a person."""
    return overview.look()


routes = [get_overview]
