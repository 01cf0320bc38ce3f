"""Pages of the runs room: all runs, and one with its steps, gates and curves."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery, QueryParameter
from litestar.response import Redirect

from lineside.contract.advice import advice
from lineside.contract.people import Permission
from lineside.contract.run import KINDS, RUN_MOVES, Run, StepState
from lineside.server.access.permissions import needs
from lineside.server.runs.graph import HEIGHT, WIDTH, graph_of
from lineside.server.runs.logs import RunLogs
from lineside.server.runs.service import RunsService
from lineside.server.runs.store import MOST_NUMBER, Filter
from lineside.server.runs.tidying import LOGS
from lineside.server.web.render import AnyRequest, Page, page, see

_PAGE = 50
_SAID = (StepState.FAILED, StepState.RUNNING)


@get("/runs", sync_to_thread=True, include_in_schema=False)
def runs_page(
    request: AnyRequest,
    runs: NamedDependency[RunsService],
    before: Annotated[int | None, QueryParameter(ge=0, le=MOST_NUMBER)] = None,
) -> Page:
    """Runs, a page at a time, and the workers; the first page refreshes itself."""
    return page(
        request,
        "runs/list.html",
        here="/runs",
        live=before is None,
        page=runs.page(Filter(), before, _PAGE),
        before=before,
        kinds=KINDS,
        workers=runs.leasing.workers() if before is None else [],
    )


@get("/runs/{run:str}", sync_to_thread=True, include_in_schema=False)
def run_page(
    request: AnyRequest,
    run: FromPath[str],
    runs: NamedDependency[RunsService],
    run_logs: NamedDependency[RunLogs],
    step: FromQuery[str | None] = None,
) -> Page:
    """One run, with what one of its steps said last; it refreshes itself until it ends."""
    shown = runs.get(run)
    about = step or _about(shown)
    return page(
        request,
        "runs/page.html",
        here="/runs",
        live=bool(RUN_MOVES[shown.state]),
        run=shown,
        advice=advice(shown.request),
        graph=graph_of(shown.steps),
        box=(WIDTH, HEIGHT),
        about=about,
        said=run_logs.last(run, about),
        log_days=LOGS.days,
        waits_for=runs.leasing.waits_for(shown),
    )


def _about(run: Run) -> str:
    """The step whose log is shown when nobody chose: the one that failed or is at work, else the last that was."""
    told = [step.name for step in run.steps if step.state in _SAID]
    worked = [step.name for step in run.steps if step.state is not StepState.WAITING]
    return (told or worked or [run.steps[0].name])[-1]


@post("/runs/{run:str}/cancel", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.OPERATE))
def cancel_run_page(run: FromPath[str], runs: NamedDependency[RunsService]) -> Redirect:
    """Stop it, then look."""
    runs.cancel(run)
    return see(f"/runs/{run}")


class Again(msgspec.Struct, frozen=True):
    """The form that starts a run again; without a step what was done is not done again."""

    from_step: str = ""


@post("/runs/{run:str}/again", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.OPERATE))
def run_again_page(
    run: FromPath[str],
    data: Annotated[Again, Body(media_type=RequestEncodingType.URL_ENCODED)],
    runs: NamedDependency[RunsService],
) -> Redirect:
    """Queue the same once more, then look at it."""
    request = msgspec.structs.replace(runs.get(run).request, from_step=data.from_step or None, loop=None)
    return see(f"/runs/{runs.start(request).id}")


routes = [runs_page, run_page, cancel_run_page, run_again_page]
