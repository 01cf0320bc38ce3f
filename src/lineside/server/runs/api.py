"""People's API of the runs room. What workers say: `worker_api`."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.people import Permission
from lineside.contract.run import CurvePoint, Run, RunRequest
from lineside.contract.worker import LogPage
from lineside.server.access.permissions import needs
from lineside.server.runs.logs import RunLogs
from lineside.server.runs.service import RunsService


@post("/runs", sync_to_thread=True, status_code=200, summary="Queue a run", opt=needs(Permission.OPERATE))
def start_run(data: JSONBody[RunRequest], runs: NamedDependency[RunsService]) -> Run:
    """Always a new run; steps that were done before with the same inputs are not repeated."""
    return runs.start(data)


@get("/runs", sync_to_thread=True, summary="All runs, newest first")
def list_runs(runs: NamedDependency[RunsService], loop: FromQuery[str | None] = None) -> list[Run]:
    """Or those that one loop started."""
    return runs.all(loop)


@get("/runs/{run:str}", sync_to_thread=True, summary="One run with its steps")
def get_run(run: FromPath[str], runs: NamedDependency[RunsService]) -> Run:
    return runs.get(run)


@get("/runs/{run:str}/curves", sync_to_thread=True, summary="The training curves of a run")
def get_curves(run: FromPath[str], runs: NamedDependency[RunsService]) -> list[CurvePoint]:
    return runs.curves(run)


@post(
    "/runs/{run:str}/cancel", sync_to_thread=True, status_code=200, summary="Stop a run", opt=needs(Permission.OPERATE)
)
def cancel_run(run: FromPath[str], runs: NamedDependency[RunsService]) -> Run:
    """What finished steps made stays."""
    return runs.cancel(run)


@get("/runs/{run:str}/logs", sync_to_thread=True, summary="What the steps of a run said")
def get_logs(
    run: FromPath[str],
    run_logs: NamedDependency[RunLogs],
    step: FromQuery[str | None] = None,
    after: FromQuery[int] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 100,
) -> LogPage:
    """Oldest first, in pieces; to follow it, ask again with `after`."""
    return run_logs.page(run, step, after, limit)


routes = [start_run, list_runs, get_run, get_curves, cancel_run, get_logs]
