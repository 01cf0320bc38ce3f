"""Aliases, cards and comparisons of model versions, and what carries them elsewhere."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "model.alias_moved",
        Kind.CONFLICT,
        "{name}@{alias} {now}, and was expected at {expected}.",
        "Look where it points: lineside models aliases {name}",
    ),
    Problem(
        "model.alias_retired",
        Kind.CONFLICT,
        "{model} was retired: {alias} cannot point at it.",
        "Choose another version: lineside models list",
    ),
    Problem(
        "model.withdraw_first",
        Kind.CONFLICT,
        "{model} is approved: what is retired with it is its signature.",
        "lineside models withdraw {model} --reason TEXT",
    ),
    Problem(
        "model.card_changed",
        Kind.CONFLICT,
        "The card of {model} is at revision {current} by now, no longer {expected}.",
        "Look at what changed: lineside models card {model} --history",
    ),
    Problem(
        "mlflow.refused",
        Kind.UNAVAILABLE,
        "The MLflow server {uri} did not take {what}: {why}.",
        "Check --tracking-uri, and what MLFLOW_TRACKING_… says of who you are.",
    ),
)
