"""What a delivery brings: a model with the code that runs it, or a component, as a deployment document."""

from __future__ import annotations

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.delivery import DeliveryRequest
from lineside.contract.deployment import ComponentSpec, DeploymentDocument, DeploymentPolicies
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState
from lineside.contract.recipes.versions import is_exact
from lineside.contract.rollout import RolloutPlan
from lineside.server.components.service import Components
from lineside.server.components.store import ComponentRow
from lineside.server.deployments.store import DeploymentRow
from lineside.server.models.aliases import by_number
from lineside.server.models.service import ModelsService

_HOPELESS = (ModelState.GATED_OUT, ModelState.TWIN_FAILED, ModelState.REJECTED, ModelState.RETIRED)


def named(session: Session, request: DeliveryRequest, models: ModelsService, components: Components) -> str:
    """What a request names, with its version: `NAME:VERSION` of a model, `NAME VERSION` of a component.

    Raises `delivery.unclear`, `delivery.hopeless`, `request.not_found`, `component.…`.
    """
    if (request.model is None) == (request.component is None):
        raise LinesideError("delivery.unclear", why="one of model and component has to be named")
    if request.model is not None:
        return _model(session, request.model, models)
    name, _, version = (request.component or "").strip().rpartition(" ")
    if not name or not is_exact(version):
        raise LinesideError("delivery.unclear", why=f"{request.component!r} is not NAME VERSION")
    row = components.row(session, name.strip(), version)
    return f"{row.name} {row.version}"


def _model(session: Session, text: str, models: ModelsService) -> str:
    name, _, version = by_number(session, text).partition(":")
    if version:
        if not (version.isascii() and version.isdigit() and len(version) < 10):
            raise LinesideError("delivery.unclear", why=f"{text!r} is not NAME:VERSION")
        model = models.find(session, name, int(version))
        if model.state in _HOPELESS:
            raise LinesideError("delivery.hopeless", what=model.label, state=model.state.value.replace("_", " "))
        return model.label
    newest = models.newest(session, name, without=_HOPELESS)
    if newest is None:
        raise LinesideError("request.not_found", what="model", name=name)
    return newest.label


def brought(session: Session, what: str, models: ModelsService, components: Components) -> list[ComponentRow]:
    """The components that have to be signed before it can go; none before a model was packed."""
    name, found, version = what.partition(":")
    if not found:
        name, _, version = what.rpartition(" ")
        return [components.row(session, name, version)]
    model = models.find(session, name, int(version))
    return list(components.packaged_rows(session, model)) if components.is_packaged(session, model) else []


def document(
    what: str, group: str, rows: list[ComponentRow], followed: DeploymentRow | None, plan: RolloutPlan | None
) -> DeploymentDocument:
    """What deploys it: everything that the group runs now stays as it is, but for these components' versions."""
    asked, specs = _now(followed)
    for row in rows:
        spec = specs.get(row.name, ComponentSpec(component_version=row.version))
        specs[row.name] = msgspec.structs.replace(spec, component_version=row.version)
        asked[row.name] = row.version
    wanted = {name: msgspec.structs.replace(specs[name], component_version=said) for name, said in asked.items()}
    followed_plan = followed.plan if followed is not None else None
    return DeploymentDocument(
        group_name=group,
        deployment_name=f"delivery of {what}",
        components=wanted,
        rollout=plan or followed_plan,
        deployment_policies=followed.policies() if followed is not None else DeploymentPolicies(),
    )


def _now(followed: DeploymentRow | None) -> tuple[dict[str, str], dict[str, ComponentSpec]]:
    return ({}, {}) if followed is None else (dict(followed.wish().asked), dict(followed.components))
