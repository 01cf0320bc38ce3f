"""What workers say to the runs room; whatever is about a run names its attempt (`lineside.contract.worker`)."""

from __future__ import annotations

from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody

from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission
from lineside.contract.run import CachedStep, Run, RunFinish, StepReport
from lineside.contract.worker import ATTEMPT, Beat, BeatAnswer, Claim, Kept, LogReport, Worker
from lineside.server.access.permissions import needs
from lineside.server.errors import AnyRequest
from lineside.server.runs.logs import KeptFiles, RunLogs
from lineside.server.runs.service import RunsService


@get("/workers", sync_to_thread=True, summary="Workers, and what each does")
def list_workers(runs: NamedDependency[RunsService]) -> list[Worker]:
    """All that were ever seen, by name."""
    return runs.leasing.workers()


@post(
    "/workers/beat",
    sync_to_thread=True,
    status_code=200,
    summary="For workers: a sign of life",
    opt=needs(Permission.WORK),
)
def beat(data: JSONBody[Beat], runs: NamedDependency[RunsService]) -> BeatAnswer:
    """It keeps what it holds, and hears which runs it must let go of."""
    return runs.leasing.beat(data)


@post(
    "/runs/claim",
    sync_to_thread=True,
    status_code=200,
    summary="For workers: the next run to work on",
    responses={204: ResponseSpec(None, description="Nothing waits")},
    opt=needs(Permission.WORK),
)
def claim_run(data: JSONBody[Claim], runs: NamedDependency[RunsService]) -> Response[Run | None]:
    """204 when nothing waits. A run this worker has not finished is handed back first, then what another let lapse."""
    run = runs.leasing.claim(data)
    return Response(run, status_code=200 if run else 204)


@post(
    "/runs/{run:str}/steps",
    sync_to_thread=True,
    status_code=204,
    summary="For workers: where a step stands",
    opt=needs(Permission.WORK),
)
def report_step(
    run: FromPath[str], data: JSONBody[StepReport], request: AnyRequest, runs: NamedDependency[RunsService]
) -> None:
    with runs.leasing.fence(request.headers.get(ATTEMPT)):
        runs.report(run, data)


@post(
    "/runs/{run:str}/logs",
    sync_to_thread=True,
    status_code=204,
    summary="For workers: what a step says",
    opt=needs(Permission.WORK),
)
def add_log(
    run: FromPath[str],
    data: JSONBody[LogReport],
    request: AnyRequest,
    runs: NamedDependency[RunsService],
    run_logs: NamedDependency[RunLogs],
) -> None:
    with runs.leasing.fence(request.headers.get(ATTEMPT), ended_too=True):
        run_logs.add(run, data)


@put(
    "/runs/{run:str}/kept",
    sync_to_thread=True,
    status_code=204,
    summary="For workers: keep a file that a run needs to go on",
    opt=needs(Permission.WORK),
)
def keep_file(
    run: FromPath[str],
    data: JSONBody[Kept],
    request: AnyRequest,
    runs: NamedDependency[RunsService],
    kept_files: NamedDependency[KeptFiles],
) -> None:
    """The newest of a name stays until the run has ended."""
    with runs.leasing.fence(request.headers.get(ATTEMPT)):
        kept_files.keep(run, data)


@get(
    "/runs/{run:str}/kept",
    sync_to_thread=True,
    summary="For workers: the files that a run has kept",
    opt=needs(Permission.WORK),
)
def get_kept(run: FromPath[str], kept_files: NamedDependency[KeptFiles]) -> list[Kept]:
    return kept_files.of(run)


@post(
    "/runs/{run:str}/finish",
    sync_to_thread=True,
    status_code=200,
    summary="For workers: the last word on a run",
    opt=needs(Permission.WORK),
)
def finish_run(
    run: FromPath[str], data: JSONBody[RunFinish], request: AnyRequest, runs: NamedDependency[RunsService]
) -> Run:
    with runs.leasing.fence(request.headers.get(ATTEMPT), ended_too=True):
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
def put_step(
    key: FromPath[str], data: JSONBody[CachedStep], request: AnyRequest, runs: NamedDependency[RunsService]
) -> CachedStep:
    if data.key != key:
        raise LinesideError("request.invalid", why="the key in the body is not the one in the path")
    with runs.leasing.fence(request.headers.get(ATTEMPT)):
        return runs.cache(data)


routes = [
    list_workers,
    beat,
    claim_run,
    report_step,
    add_log,
    keep_file,
    get_kept,
    finish_run,
    get_step,
    put_step,
]
