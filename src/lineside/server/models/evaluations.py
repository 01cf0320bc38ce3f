"""The evaluation of a model version, read from its blob."""

from __future__ import annotations

import msgspec

from lineside.contract.evaluation import EVALUATION_SCHEMA, Evaluation
from lineside.contract.model import ModelVersion, Prediction, Predictions
from lineside.contract.reading import UNREADABLE
from lineside.server.adapters.objects import ObjectStore


def read_evaluation(objects: ObjectStore, model: ModelVersion) -> Evaluation | None:
    """What evaluated a version; None when nothing did, when it is not here, or in a form of a later release."""
    if model.evaluation is None or not objects.exists(model.evaluation):
        return None
    try:
        found = msgspec.json.decode(objects.get(model.evaluation), type=Evaluation)
    except UNREADABLE:
        return None
    return found if found.schema == EVALUATION_SCHEMA else None


def read_predictions(objects: ObjectStore, model: ModelVersion) -> tuple[Prediction, ...]:
    """A few test pictures with what the version found there; none when they are not here."""
    if model.predictions is None or not objects.exists(model.predictions):
        return ()
    return msgspec.json.decode(objects.get(model.predictions), type=Predictions).images
