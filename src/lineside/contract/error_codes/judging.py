"""Gates that a run asks for, and evaluations of models."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "gate.rule_unknown",
        Kind.REFUSED,
        "There is no rule {rule} for gates; there are {known}.",
        "Correct the gate; docs/model-gates.md says what each rule asks.",
    ),
    Problem(
        "gate.parameter_invalid",
        Kind.REFUSED,
        "The gate {rule} cannot be judged with this {name}: {why}.",
        "Correct the gate; docs/model-gates.md says what each rule takes.",
    ),
    Problem(
        "gate.target_unknown",
        Kind.REFUSED,
        "There is no target {target}; there are {known}.",
        "Name one of these targets.",
    ),
    Problem(
        "gate.cost_invalid",
        Kind.REFUSED,
        "A missed object cannot cost as much as {missed} false alarms.",
        "Give a number above 0 and up to a million.",
    ),
    Problem(
        "evaluation.failed",
        Kind.CONFLICT,
        "The evaluation did not come to an end: {why}.",
        "See what happened: lineside runs show {run}",
    ),
    Problem(
        "evaluation.not_done",
        Kind.CONFLICT,
        "There is no evaluation yet: the run {run} is {current}.",
        "Watch it until it ends: lineside runs show {run} --follow",
    ),
    Problem(
        "evaluation.no_pictures",
        Kind.REFUSED,
        "The dataset {dataset} has no pictures on its {split} side.",
        "Score it on another side: lineside models evaluate NAME VERSION --data {dataset} --split all",
    ),
    Problem(
        "evaluation.no_common_class",
        Kind.REFUSED,
        "The dataset has the classes {classes}; {model} knows {labels}.",
        "Name a dataset with a class that the model knows.",
    ),
)
