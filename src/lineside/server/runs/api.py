"""People's API of the runs room; workers call it, too."""

from __future__ import annotations

import msgspec
from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody

from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission
from lineside.contract.run import CachedStep, CurvePoint, Run, RunFinish, RunRequest, StepReport
from lineside.server.access.permissions import needs
from lineside.server.runs.service import RunsService


class Claim(msgspec.Struct, frozen=True):
    """Who asks for work."""

    worker: str


@post("/runs", sync_to_thread=True, status_code=200, summary="Queue a run", opt=needs(Permission.OPERATE))
def start_run(data: JSONBody[RunRequest], runs: NamedDependency[RunsService]) -> Run:
    """Always a new run; steps that were done before with the same inputs are not repeated."""
    return runs.start(data)


@get("/runs", sync_to_thread=True, summary="All runs, newest first")
def list_runs(runs: NamedDependency[RunsService]) -> list[Run]:
    return runs.all()


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


@post(
    "/runs/claim",
    sync_to_thread=True,
    status_code=200,
    summary="For workers: the next run to work on",
    responses={204: ResponseSpec(None, description="Nothing waits")},
    opt=needs(Permission.WORK),
)
def claim_run(data: JSONBody[Claim], runs: NamedDependency[RunsService]) -> Response[Run | None]:
    """204 when nothing waits. A run this worker has not finished is handed back first."""
    run = runs.claim(data.worker)
    return Response(run, status_code=200 if run else 204)


@post(
    "/runs/{run:str}/steps",
    sync_to_thread=True,
    status_code=204,
    summary="For workers: where a step stands",
    opt=needs(Permission.WORK),
)
def report_step(run: FromPath[str], data: JSONBody[StepReport], runs: NamedDependency[RunsService]) -> None:
    runs.report(run, data)


@post(
    "/runs/{run:str}/finish",
    sync_to_thread=True,
    status_code=200,
    summary="For workers: the last word on a run",
    opt=needs(Permission.WORK),
)
def finish_run(run: FromPath[str], data: JSONBody[RunFinish], runs: NamedDependency[RunsService]) -> Run:
    return runs.finish(run, data)


@get("/steps/{key:str}", sync_to_thread=True, summary="For workers: what a step with this key made before")
def get_step(key: FromPath[str], runs: NamedDependency[RunsService]) -> CachedStep:
    return runs.cached(key)


@put(
    "/steps/{key:str}",
    sync_to_thread=True,
    summary="For workers: remember what a step made",
    opt=needs(Permission.WORK),
)
def put_step(key: FromPath[str], data: JSONBody[CachedStep], runs: NamedDependency[RunsService]) -> CachedStep:
    if data.key != key:
        raise LinesideError("request.invalid", why="the key in the body is not the one in the path")
    return runs.cache(data)


routes = [
    start_run,
    list_runs,
    get_run,
    get_curves,
    cancel_run,
    claim_run,
    report_step,
    finish_run,
    get_step,
    put_step,
]
