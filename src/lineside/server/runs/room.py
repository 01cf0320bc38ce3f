"""The runs room as the app sees it."""

from __future__ import annotations

from lineside.server.datasets.service import DatasetsService
from lineside.server.runs import api, pages, worker_api
from lineside.server.runs.kept import KeptFiles
from lineside.server.runs.logs import RunLogs
from lineside.server.runs.service import RunsService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Runs of the pipeline and the cache of their steps."""
    runs = RunsService(core, DatasetsService(core))
    return Room(
        services={"runs": runs, "run_logs": RunLogs(core), "kept_files": KeptFiles(core)},
        people=[*api.routes, *worker_api.routes],
        pages=pages.routes,
    )
