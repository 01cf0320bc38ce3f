"""Pages of the runs room: all runs, and one with its steps, gates and curves."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from lineside.contract.advice import advice
from lineside.contract.run import RUN_MOVES
from lineside.server.runs.service import RunsService
from lineside.server.web.render import AnyRequest, Page, page


@get("/runs", sync_to_thread=True, include_in_schema=False)
def runs_page(request: AnyRequest, runs: NamedDependency[RunsService]) -> Page:
    """Every run."""
    return page(request, "runs/list.html", here="/runs", live=True, runs=runs.all())


@get("/runs/{run:str}", sync_to_thread=True, include_in_schema=False)
def run_page(request: AnyRequest, run: FromPath[str], runs: NamedDependency[RunsService]) -> Page:
    """One run; it refreshes itself until it ends."""
    shown = runs.get(run)
    return page(
        request,
        "runs/page.html",
        here="/runs",
        live=bool(RUN_MOVES[shown.state]),
        run=shown,
        advice=advice(shown.request),
    )


routes = [runs_page, run_page]
