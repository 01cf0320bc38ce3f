"""Pages of the models room: all versions, and one with what a person needs to decide about it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.model import Decision, ModelState
from lineside.contract.registry import Alias
from lineside.server.adapters.objects import ObjectStore
from lineside.server.models import baselines, drawing
from lineside.server.models.aliases import Aliases
from lineside.server.models.decisions import DECISIONS, Row
from lineside.server.models.evaluations import read_predictions
from lineside.server.models.mistakes import mistakes
from lineside.server.models.model import read_states
from lineside.server.models.service import ModelsService
from lineside.server.models.store import MOST_NUMBER, Filter
from lineside.server.models.twin_report import outputs_of, read_twin_report
from lineside.server.web.forms import form
from lineside.server.web.render import AnyRequest, Page, page, see

_A_PAGE = 50
_OTHERS = 12  # versions to compare with
_MOVING = {ModelState.CANDIDATE, ModelState.IN_TWIN}


@get("/models", sync_to_thread=True, include_in_schema=False)
def models_page(
    request: AnyRequest,
    models: NamedDependency[ModelsService],
    q: FromQuery[str] = "",
    states: FromQuery[str] = "",
    dataset: FromQuery[str] = "",
    before: Annotated[int | None, QueryParameter(ge=0, le=MOST_NUMBER)] = None,
) -> Page:
    """Model versions, newest first."""
    wanted = Filter(q=q, states=read_states(states), dataset=dataset)
    return _listed(request, models, wanted, before, asked={"q": q, "states": states, "dataset": dataset})


@get("/models/{name:str}", sync_to_thread=True, include_in_schema=False)
def named_page(
    request: AnyRequest,
    name: FromPath[str],
    models: NamedDependency[ModelsService],
    aliases: NamedDependency[Aliases],
    before: Annotated[int | None, QueryParameter(ge=0, le=MOST_NUMBER)] = None,
) -> Page | Redirect:
    """All versions of one model and its aliases; `NAME@ALIAS` and `NAME:VERSION` lead to the version."""
    if "@" in name or ":" in name:
        found = aliases.find(name)
        return see(f"/models/{found.name}/{found.version}")
    return _listed(request, models, Filter(name=name), before, asked={}, aliases_of=aliases.all(name))


def _listed(
    request: AnyRequest,
    models: ModelsService,
    wanted: Filter,
    before: int | None,
    asked: dict[str, str],
    aliases_of: tuple[Alias, ...] = (),
) -> Page:
    found = models.page(wanted, before, _A_PAGE)
    names = models.pointing(sorted({model.name for model in found.models}))
    return page(
        request,
        "models/list.html",
        here="/models",
        live=before is None,
        page=found,
        names=names,
        name=wanted.name,
        asked=asked,
        query=urlencode({key: value for key, value in asked.items() if value}),
        before=before,
        counts=models.counts(),
        aliases=aliases_of,
    )


@get("/models/{name:str}/{version:int}", sync_to_thread=True, include_in_schema=False)
def model_page(
    request: AnyRequest,
    name: FromPath[str],
    version: FromPath[int],
    models: NamedDependency[ModelsService],
    objects: NamedDependency[ObjectStore],
) -> Page:
    """One version; it refreshes itself while it moves without a person."""
    return _shown(request, models, (name, version), objects)


def _decision(row: Row) -> HTTPRouteHandler:
    @form(f"/models/{{name:str}}/{{version:int}}/{row.verb}", row.permission)
    def decide(
        request: AnyRequest,
        name: FromPath[str],
        version: FromPath[int],
        data: URLEncodedBody[Decision],
        models: NamedDependency[ModelsService],
        objects: NamedDependency[ObjectStore],
    ) -> Page | Redirect:
        """Decide, then look; a refusal is shown with its reason."""
        try:
            row.decide(models, name, version, data)
        except LinesideError as error:
            return _shown(request, models, (name, version), objects, error.report(), int(error.kind))
        return see(f"/models/{name}/{version}")

    return decide


def _shown(
    request: AnyRequest,
    models: ModelsService,
    which: tuple[str, int],
    objects: ObjectStore,
    refusal: ErrorReport | None = None,
    status: int = 200,
) -> Page:
    model = models.get(*which)
    report = read_twin_report(objects, model.twin_report)
    others = models.page(Filter(name=model.name), limit=_OTHERS).models
    return page(
        request,
        "models/page.html",
        here="/models",
        live=model.state in _MOVING,
        status=status,
        model=model,
        aliases=models.pointing([model.name]).get((model.name, model.version), ()),
        signs_here=models.signs_here(),
        predictions=[(one, mistakes(one.truth, one.detections)) for one in read_predictions(objects, model)],
        gates=[(gate, drawing.gate(gate)) for gate in model.gates],
        ladder=drawing.ladder(model.variants),
        baseline=baselines.rows(model.baseline),
        others=sorted(
            (one for one in others if one.version != model.version),
            key=lambda one: (one.version > model.version, -one.version),
        ),
        twin_report=report,
        outputs=outputs_of(objects, report),
        refusal=refusal,
    )


routes = [models_page, named_page, model_page, *map(_decision, DECISIONS)]
