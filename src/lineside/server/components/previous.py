"""Which earlier version of a model comes along with a new one, so that devices can hold both against each other."""

from __future__ import annotations

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.contract.model import PREVIOUS_ABOUT, ModelState, ModelVersion, PreviousModel
from lineside.server.adapters.objects import ObjectStore
from lineside.server.components import recipes, store
from lineside.server.models.store import ModelRow


def previous_of(session: Session, objects: ObjectStore, model: ModelVersion) -> PreviousModel | None:
    """The newest approved version before this one with the same classes and the same head.

    A model that was packed once keeps what it was packed with, whatever was approved or withdrawn since: its recipe is
    what people sign. Raises `request.not_found` when that is not in the store.
    """
    packed = store.component(
        session, recipes.model_component(model.name), recipes.model_component_version(model.version)
    )
    if packed is not None:
        about = next((one.digest for one in packed.artifacts if one.name == PREVIOUS_ABOUT), None)
        return None if about is None else msgspec.json.decode(objects.get(about), type=PreviousModel)
    earlier = select(ModelRow.registered).where(ModelRow.name == model.name, ModelRow.version < model.version)
    approved = earlier.where(ModelRow.state == ModelState.APPROVED.value).order_by(ModelRow.version.desc())
    found = (one for one in session.scalars(approved) if _comparable(one, model))
    return next((_about(one) for one in found), None)


def _comparable(one: ModelVersion, other: ModelVersion) -> bool:
    mine, theirs = one.signature, other.signature
    return (mine.labels, mine.head) == (theirs.labels, theirs.head) and one.digest != other.digest


def _about(model: ModelVersion) -> PreviousModel:
    return PreviousModel(name=model.name, version=model.version, digest=model.digest, signature=model.signature)
