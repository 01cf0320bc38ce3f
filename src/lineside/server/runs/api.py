"""People's API of the runs room. What workers say: `worker_api`."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.people import Permission
from lineside.contract.run import CurvePoint, Run, RunPage, RunRequest
from lineside.contract.worker import LogPage
from lineside.server.access.permissions import needs
from lineside.server.runs.logs import RunLogs
from lineside.server.runs.model import read_states
from lineside.server.runs.service import RunsService
from lineside.server.runs.store import MOST_NUMBER, Filter


@post("/runs", sync_to_thread=True, status_code=200, summary="Queue a run", opt=needs(Permission.OPERATE))
def start_run(data: JSONBody[RunRequest], runs: NamedDependency[RunsService]) -> Run:
    """Always a new run; steps that were done before with the same inputs are not repeated."""
    return runs.start(data)


@get("/runs", sync_to_thread=True, summary="Runs, newest first")
def list_runs(
    runs: NamedDependency[RunsService],
    loop: FromQuery[str | None] = None,
    states: FromQuery[str] = "",
    kind: FromQuery[str | None] = None,
    before: Annotated[int | None, QueryParameter(ge=0, le=MOST_NUMBER)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> RunPage:
    """Those that one loop started, in one of `states` (commas between), of one kind: all that is given must hold.
    `before` is `next` of the page before."""
    return runs.page(Filter(loop=loop, states=read_states(states), kind=kind), before, limit)


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
