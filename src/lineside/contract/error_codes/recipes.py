"""What can be wrong with a recipe."""

from __future__ import annotations

from lineside.contract.errors import Kind, Problem

ROWS = (
    Problem(
        "recipe.invalid",
        Kind.REFUSED,
        "The recipe cannot be read: {why}.",
        "Check it: lineside components check FILE; docs/recipes.md says what each key does.",
    ),
    Problem(
        "recipe.unsupported",
        Kind.REFUSED,
        "The recipe of {name} asks for something Lineside does not do: {what}.",
        "Change the recipe; see docs/recipes.md.",
    ),
    Problem(
        "recipe.no_platform",
        Kind.REFUSED,
        "No manifest of {name} is for this device ({platform}).",
        "Add a manifest for that platform to the recipe.",
    ),
    Problem(
        "recipe.version",
        Kind.REFUSED,
        "{text} is not a version or a version requirement.",
        "Write versions as 1.2.3 and requirements as >=1.2.3, ^1.2.3 or ~1.2.3.",
    ),
    Problem(
        "recipe.dependency_missing",
        Kind.REFUSED,
        "{name} needs {dependency}, which the deployment does not have.",
        "Add {dependency} to the deployment.",
    ),
    Problem(
        "recipe.dependency_version",
        Kind.REFUSED,
        "{name} needs {dependency} {requirement}, and the deployment has {version}.",
        "Deploy versions that fit together.",
    ),
    Problem(
        "recipe.dependency_cycle",
        Kind.REFUSED,
        "Components depend on one another in a circle: {cycle}.",
        "Remove one of these dependencies.",
    ),
    Problem(
        "recipe.unknown_key",
        Kind.REFUSED,
        "{key} is not a key of {where}; nothing reads it.",
        "{hint}",
        "The key that is nearest, or all that are known there: docs/recipes.md",
    ),
    Problem(
        "recipe.unknown_word",
        Kind.REFUSED,
        "No device calls its {key} {word}.",
        "{hint}",
        "The word to write, or all that are known: docs/recipes.md",
    ),
    Problem(
        "recipe.never_used",
        Kind.REFUSED,
        "{what} is never used: {why}.",
        "Remove it, or change what keeps it from being used.",
    ),
    Problem(
        "recipe.unlike_greengrass",
        Kind.REFUSED,
        "AWS Greengrass reads this otherwise: {why}.",
        "Change it if the recipe is to run there too.",
    ),
    Problem(
        "recipe.variable",
        Kind.REFUSED,
        "{variable} stays as it is: {why}.",
        "Variables are listed in docs/recipes.md; their names are case-sensitive.",
    ),
    Problem(
        "recipe.surprising_value",
        Kind.REFUSED,
        "{text} without quotes is read as {value}.",
        "Put it in quotes if it is meant as a text.",
    ),
)
