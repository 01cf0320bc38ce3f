"""Pages of the models room: all versions, and one with what a person needs to decide about it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.model import Decision, ModelState, ModelVersion, Prediction, Predictions
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.adapters.objects import ObjectStore
from lineside.server.models.service import ModelsService
from lineside.server.models.twin_report import outputs_of, read_twin_report
from lineside.server.web.render import AnyRequest, Page, page, see

_MOVING = {ModelState.CANDIDATE, ModelState.IN_TWIN}


@get("/models", sync_to_thread=True, include_in_schema=False)
def models_page(request: AnyRequest, models: NamedDependency[ModelsService]) -> Page:
    """Every model version."""
    return page(request, "models/list.html", here="/models", live=True, models=models.all())


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


@post(
    "/models/{name:str}/{version:int}/approve",
    sync_to_thread=True,
    include_in_schema=False,
    opt=needs(Permission.APPROVE),
)
def approve_model(
    request: AnyRequest,
    name: FromPath[str],
    version: FromPath[int],
    data: URLEncodedBody[Decision],
    models: NamedDependency[ModelsService],
    objects: NamedDependency[ObjectStore],
) -> Page | Redirect:
    """Approve, then look."""
    return _decided(request, models, (name, version), objects, lambda: models.approve(name, version, data))


@post(
    "/models/{name:str}/{version:int}/reject",
    sync_to_thread=True,
    include_in_schema=False,
    opt=needs(Permission.APPROVE),
)
def reject_model(
    request: AnyRequest,
    name: FromPath[str],
    version: FromPath[int],
    data: URLEncodedBody[Decision],
    models: NamedDependency[ModelsService],
    objects: NamedDependency[ObjectStore],
) -> Page | Redirect:
    """Reject, then look."""
    return _decided(request, models, (name, version), objects, lambda: models.reject(name, version, data))


@post(
    "/models/{name:str}/{version:int}/withdraw",
    sync_to_thread=True,
    include_in_schema=False,
    opt=needs(Permission.APPROVE),
)
def withdraw_model(
    request: AnyRequest,
    name: FromPath[str],
    version: FromPath[int],
    data: URLEncodedBody[Decision],
    models: NamedDependency[ModelsService],
    objects: NamedDependency[ObjectStore],
) -> Page | Redirect:
    """Take an approval back, then look."""
    return _decided(request, models, (name, version), objects, lambda: models.withdraw(name, version, data))


@post(
    "/models/{name:str}/{version:int}/retest",
    sync_to_thread=True,
    include_in_schema=False,
    opt=needs(Permission.OPERATE),
)
def retest_model(
    request: AnyRequest,
    name: FromPath[str],
    version: FromPath[int],
    data: URLEncodedBody[Decision],
    models: NamedDependency[ModelsService],
    objects: NamedDependency[ObjectStore],
) -> Page | Redirect:
    """Have it tested again, then look."""
    return _decided(request, models, (name, version), objects, lambda: models.retest(name, version, data))


def _decided(
    request: AnyRequest,
    models: ModelsService,
    which: tuple[str, int],
    objects: ObjectStore,
    decide: Callable[[], object],
) -> Page | Redirect:
    """Decide, then look; a refusal is shown with its reason."""
    try:
        decide()
    except LinesideError as error:
        return _shown(request, models, which, objects, error.report(), int(error.kind))
    return see(f"/models/{which[0]}/{which[1]}")


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
    return page(
        request,
        "models/page.html",
        here="/models",
        live=model.state in _MOVING,
        status=status,
        model=model,
        signs_here=models.signs_here(),
        predictions=_predictions(model, objects),
        twin_report=report,
        outputs=outputs_of(objects, report),
        refusal=refusal,
    )


def _predictions(model: ModelVersion, objects: ObjectStore) -> tuple[Prediction, ...]:
    if model.predictions is None or not objects.exists(model.predictions):
        return ()
    return msgspec.json.decode(objects.get(model.predictions), type=Predictions).images


routes = [models_page, model_page, approve_model, reject_model, withdraw_model, retest_model]
