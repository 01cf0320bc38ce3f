"""What workers say to the runs room; whatever is about a run names its attempt (`lineside.contract.worker`)."""

from __future__ import annotations

from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream

from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission
from lineside.contract.run import CachedStep, Run, RunFinish, StepReport
from lineside.contract.worker import ATTEMPT, Beat, BeatAnswer, Claim, Kept, Leave, LogReport, Worker
from lineside.server.access.permissions import needs
from lineside.server.blobs.uploads import received
from lineside.server.errors import AnyRequest
from lineside.server.runs.kept import KeptFiles
from lineside.server.runs.logs import RunLogs
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
    "/workers/leave",
    sync_to_thread=True,
    status_code=204,
    summary="For workers: the last word before an orderly end",
    opt=needs(Permission.WORK),
)
def leave(data: JSONBody[Leave], runs: NamedDependency[RunsService]) -> None:
    """Others may take what it holds at once; the attempts are not counted."""
    runs.leasing.leave(data)


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
    with runs.leasing.fence(request.headers.get(ATTEMPT), run):
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
    with runs.leasing.fence(request.headers.get(ATTEMPT), run, ended_too=True):
        run_logs.add(run, data)


@put(
    "/runs/{run:str}/kept/{name:path}",
    status_code=201,
    request_max_body_size=None,
    summary="For workers: keep a file that a run needs to go on",
    opt=needs(Permission.WORK),
)
async def keep_file(
    run: FromPath[str],
    name: FromPath[str],
    digest: FromQuery[str],
    request: AnyRequest,
    kept_files: NamedDependency[KeptFiles],
) -> Kept:
    """The newest of a name stays until the run has ended. Only its newest attempt keeps files."""
    attempt, named = request.headers.get(ATTEMPT), name.removeprefix("/")
    return await received(request.stream(), lambda data: kept_files.keep(run, named, digest, attempt, data))


@get(
    "/runs/{run:str}/kept",
    sync_to_thread=True,
    summary="For workers: the files that a run has kept",
    opt=needs(Permission.WORK),
)
def get_kept(run: FromPath[str], request: AnyRequest, kept_files: NamedDependency[KeptFiles]) -> list[Kept]:
    """To its newest attempt."""
    return kept_files.of(run, request.headers.get(ATTEMPT))


@get(
    "/runs/{run:str}/kept/{name:path}",
    sync_to_thread=True,
    media_type="application/octet-stream",
    summary="For workers: the bytes of a file that a run has kept",
    opt=needs(Permission.WORK),
)
def fetch_kept(
    run: FromPath[str], name: FromPath[str], request: AnyRequest, kept_files: NamedDependency[KeptFiles]
) -> Stream:
    """To its newest attempt."""
    kept, data = kept_files.read(run, name.removeprefix("/"), request.headers.get(ATTEMPT))
    headers = {"Content-Length": str(kept.size), "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Stream(data, headers=headers)


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
    with runs.leasing.fence(request.headers.get(ATTEMPT), run, ended_too=True):
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
    with runs.leasing.fence(request.headers.get(ATTEMPT), data.run):
        return runs.cache(data)


routes = [
    list_workers,
    beat,
    leave,
    claim_run,
    report_step,
    add_log,
    keep_file,
    get_kept,
    fetch_kept,
    finish_run,
    get_step,
    put_step,
]
