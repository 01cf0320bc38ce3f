"""Components that people add."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "component.recipe",
        Kind.REFUSED,
        "Devices would refuse the recipe: {errors}.",
        "See all of it: lineside components check RECIPE",
    ),
    Problem(
        "component.artifact_missing",
        Kind.REFUSED,
        "The recipe of {name} names artifacts that are not there: {files}.",
        "Put them into one folder and name it: lineside components add RECIPE --artifacts DIR",
    ),
    Problem(
        "component.artifact_differs",
        Kind.REFUSED,
        "The recipe says that {name} has the digest {digest}, and the file has another.",
        "Take the Digest out of the recipe, or give the file that it means.",
    ),
    Problem(
        "component.exists",
        Kind.CONFLICT,
        "{name} {version} exists already, with other content.",
        "Count ComponentVersion up: a version never changes. See what is there: lineside components show {name} {version}",
    ),
    Problem(
        "component.not_yours",
        Kind.CONFLICT,
        "{name} carries a model, and is made when one is trained or imported.",
        "Choose another ComponentName.",
    ),
    Problem(
        "component.too_long",
        Kind.REFUSED,
        "The {what} {text} has more than {most} characters.",
        "Choose a shorter one.",
    ),
)
