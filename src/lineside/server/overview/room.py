"""The overview as the app sees it: pages, pictures and assets that belong to no single room come with it."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Router
from litestar.di import NamedDependency, Provide
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler

from lineside.server.access.join_tokens import JoinTokens
from lineside.server.access.permissions import PUBLIC
from lineside.server.captures.service import CapturesService
from lineside.server.datasets.service import DatasetsService
from lineside.server.devices.service import Devices
from lineside.server.drift.field import FieldAccuracies
from lineside.server.drift.looking import DriftLooks
from lineside.server.models.service import ModelsService
from lineside.server.overview import api, pages
from lineside.server.overview.service import OverviewService
from lineside.server.rollouts.service import Rollouts
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Room
from lineside.server.telemetry.service import ResultsService
from lineside.server.trust.view import TrustPage
from lineside.server.web.pictures import show_picture
from lineside.server.web.render import HERE


def room(core: Core) -> Room:
    """The first page and its operation."""
    assets = create_static_files_router(
        "/static", directories=[HERE / "static"], include_in_schema=False, opt=dict(PUBLIC)
    )
    return Room(people=[_with_overview(api.routes)], pages=[_with_overview(pages.routes), show_picture, assets])


def _with_overview(routes: Sequence[ControllerRouterHandler]) -> Router:
    return Router("/", route_handlers=routes, dependencies={"overview": Provide(_overview, sync_to_thread=False)})


def _overview(
    core: NamedDependency[Core],
    join_tokens: NamedDependency[JoinTokens],
    datasets: NamedDependency[DatasetsService],
    runs: NamedDependency[RunsService],
    models: NamedDependency[ModelsService],
    devices: NamedDependency[Devices],
    rollouts: NamedDependency[Rollouts],
    results: NamedDependency[ResultsService],
    captures: NamedDependency[CapturesService],
    trust_page: NamedDependency[TrustPage],
    drift_looks: NamedDependency[DriftLooks],
    field_accuracies: NamedDependency[FieldAccuracies],
) -> OverviewService:
    return OverviewService(
        core=core,
        join_tokens=join_tokens,
        datasets=datasets,
        runs=runs,
        models=models,
        devices=devices,
        rollouts=rollouts,
        results=results,
        captures=captures,
        trust=trust_page,
        drift=drift_looks,
        field=field_accuracies,
    )
