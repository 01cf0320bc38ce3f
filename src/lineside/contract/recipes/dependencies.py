"""In which order components start, and whether their dependencies can be met."""

from __future__ import annotations

from collections.abc import Mapping

from lineside.contract.errors import LinesideError
from lineside.contract.recipes.recipe import Recipe
from lineside.contract.recipes.versions import satisfies


def check(recipes: Mapping[str, Recipe]) -> None:
    """Refuse a set with a HARD dependency that is missing or of the wrong version, or with a cycle.

    Raises `recipe.dependency_missing`, `recipe.dependency_version`, `recipe.dependency_cycle`.
    """
    for name, recipe in recipes.items():
        for other, dependency in recipe.dependencies.items():
            if other not in recipes:
                if dependency.hard:
                    raise LinesideError("recipe.dependency_missing", name=name, dependency=other)
            elif not satisfies(recipes[other].version, dependency.requirement):
                raise LinesideError(
                    "recipe.dependency_version",
                    name=name,
                    dependency=other,
                    version=recipes[other].version,
                    requirement=dependency.requirement,
                )
    start_order(recipes)


def start_order(recipes: Mapping[str, Recipe]) -> list[str]:
    """Names with every dependency before its dependents, otherwise by name. Raises `recipe.dependency_cycle`."""
    ordered: list[str] = []
    for name in sorted(recipes):
        _visit(name, recipes, ordered, [])
    return ordered


def _visit(name: str, recipes: Mapping[str, Recipe], ordered: list[str], path: list[str]) -> None:
    if name in path:
        raise LinesideError("recipe.dependency_cycle", cycle=" → ".join([*path[path.index(name) :], name]))
    if name in ordered:
        return
    for other in sorted(recipes[name].dependencies):
        if other in recipes:
            _visit(other, recipes, ordered, [*path, name])
    ordered.append(name)
