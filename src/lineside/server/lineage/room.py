"""Lineage as the app sees it."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Router
from litestar.di import NamedDependency, Provide
from litestar.types import ControllerRouterHandler

from lineside.server.captures.service import CapturesService
from lineside.server.components.service import Components
from lineside.server.datasets.service import DatasetsService
from lineside.server.lineage import api, pages
from lineside.server.lineage.service import LineageService
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Where results came from."""
    return Room(people=[_with_lineage(api.routes)], pages=[_with_lineage(pages.routes)])


def _with_lineage(routes: Sequence[ControllerRouterHandler]) -> Router:
    return Router("/", route_handlers=routes, dependencies={"lineage": Provide(_lineage, sync_to_thread=False)})


def _lineage(
    core: NamedDependency[Core],
    datasets: NamedDependency[DatasetsService],
    runs: NamedDependency[RunsService],
    component_versions: NamedDependency[Components],
    captures: NamedDependency[CapturesService],
) -> LineageService:
    return LineageService(core, datasets, runs, component_versions, captures)
