"""People's API of the models room."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.ceremony import Proposal
from lineside.contract.evaluation import EvaluateModel
from lineside.contract.model import Decision, ImportModel, ModelVersion, RegisterModel
from lineside.contract.people import Permission
from lineside.contract.registry import ModelPage
from lineside.contract.run import Run
from lineside.contract.worker import ATTEMPT
from lineside.server.access.permissions import needs
from lineside.server.errors import AnyRequest
from lineside.server.models.decisions import DECISIONS, Row
from lineside.server.models.model import read_states
from lineside.server.models.service import ModelsService
from lineside.server.models.store import MOST_NUMBER, Filter
from lineside.server.runs.service import RunsService


@post(
    "/models", sync_to_thread=True, status_code=200, summary="For workers: register a model", opt=needs(Permission.WORK)
)
def register_model(
    data: JSONBody[RegisterModel],
    request: AnyRequest,
    models: NamedDependency[ModelsService],
    runs: NamedDependency[RunsService],
) -> ModelVersion:
    """The same content again answers with the version that is there. `run.lease_lost`: another attempt at the run has
    begun."""
    with runs.leasing.fence(request.headers.get(ATTEMPT)):
        return models.register(data)


@post(
    "/models/import",
    sync_to_thread=True,
    status_code=200,
    summary="Import a model trained elsewhere",
    opt=needs(Permission.OPERATE),
)
def import_model(data: JSONBody[ImportModel], models: NamedDependency[ModelsService]) -> Run:
    """Queues a run that checks, scores and registers it; the file was sent as a blob before."""
    return models.start_import(data)


@get("/models", sync_to_thread=True, summary="Model versions, newest first")
def list_models(
    models: NamedDependency[ModelsService],
    name: FromQuery[str] = "",
    q: FromQuery[str] = "",
    states: FromQuery[str] = "",
    dataset: FromQuery[str] = "",
    before: Annotated[int | None, QueryParameter(ge=0, le=MOST_NUMBER)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> ModelPage:
    """Of one model (`name`), with `q` in the name, in one of `states` (commas between), made from a dataset
    version: all that is given must hold. `before` is `next` of the page before."""
    return models.page(Filter(name=name, q=q, states=read_states(states), dataset=dataset), before, limit)


@get("/models/{name:str}/{version:int}", sync_to_thread=True, summary="One model version")
def get_model(name: FromPath[str], version: FromPath[int], models: NamedDependency[ModelsService]) -> ModelVersion:
    return models.get(name, version)


@post(
    "/models/{name:str}/{version:int}/proposal",
    sync_to_thread=True,
    status_code=200,
    summary="What approvers are to sign about a model",
    opt=needs(Permission.APPROVE),
)
def propose_model(
    name: FromPath[str], version: FromPath[int], data: JSONBody[Decision], models: NamedDependency[ModelsService]
) -> Proposal:
    """Asked again it is the same proposal, unless the model has changed meanwhile."""
    return models.propose(name, version, data)


@post(
    "/models/{name:str}/{version:int}/evaluate",
    sync_to_thread=True,
    status_code=200,
    summary="Score a model version on a dataset version",
    opt=needs(Permission.OPERATE),
)
def evaluate_model(
    name: FromPath[str], version: FromPath[int], data: JSONBody[EvaluateModel], models: NamedDependency[ModelsService]
) -> Run:
    """Queues a run; the outputs of its step `score` name the evaluation."""
    return models.start_evaluation(name, version, data)


def _decision(row: Row) -> HTTPRouteHandler:
    def decide(
        name: FromPath[str], version: FromPath[int], data: JSONBody[Decision], models: NamedDependency[ModelsService]
    ) -> ModelVersion:
        return row.decide(models, name, version, data)

    decide.__name__, decide.__doc__ = f"{row.verb}_model", row.about
    declared = post(
        f"/models/{{name:str}}/{{version:int}}/{row.verb}",
        sync_to_thread=True,
        status_code=200,
        summary=row.summary,
        opt=needs(row.permission),
    )
    return declared(decide)


routes = [
    register_model,
    import_model,
    list_models,
    get_model,
    *map(_decision, DECISIONS),
    propose_model,
    evaluate_model,
]
