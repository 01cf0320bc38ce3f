"""In which order components start, and whether their dependencies can be met."""

from __future__ import annotations

from collections.abc import Mapping

from lineside.contract.errors import LinesideError
from lineside.contract.recipes.builtin import builtin_version
from lineside.contract.recipes.recipe import Recipe
from lineside.contract.recipes.versions import satisfies


def check(recipes: Mapping[str, Recipe]) -> None:
    """Refuse a set with a HARD dependency that is missing, with one of the wrong version, or with a cycle.

    Components that come with the agent are there without being named.
    Raises `recipe.dependency_missing`, `recipe.dependency_version`, `recipe.dependency_cycle`.
    """
    for name, recipe in recipes.items():
        for other, dependency in recipe.dependencies.items():
            version = recipes[other].version if other in recipes else builtin_version(other)
            if version is None:
                if dependency.hard:
                    raise LinesideError("recipe.dependency_missing", name=name, dependency=other)
            elif not satisfies(version, dependency.requirement):
                raise LinesideError(
                    "recipe.dependency_version",
                    name=name,
                    dependency=other,
                    version=version,
                    requirement=dependency.requirement,
                )
    start_order(recipes)


def start_order(recipes: Mapping[str, Recipe]) -> list[str]:
    """Names with every dependency before its dependents, otherwise by name. Raises `recipe.dependency_cycle`."""
    ordered: dict[str, None] = {}
    for name in sorted(recipes):
        if name not in ordered:
            _visit(name, recipes, ordered)
    return list(ordered)


def _visit(first: str, recipes: Mapping[str, Recipe], ordered: dict[str, None]) -> None:
    """Depth first, without recursion: a chain may be as long as the document."""
    path = [first]
    waiting = [_needs(first, recipes)]
    while path:
        other = waiting[-1].pop() if waiting[-1] else None
        if other is None:
            ordered[path.pop()] = None
            waiting.pop()
        elif other in path:
            raise LinesideError("recipe.dependency_cycle", cycle=" → ".join([*path[path.index(other) :], other]))
        elif other not in ordered:
            path.append(other)
            waiting.append(_needs(other, recipes))


def _needs(name: str, recipes: Mapping[str, Recipe]) -> list[str]:
    """What a component depends on, last by name first."""
    return [other for other in sorted(recipes[name].dependencies, reverse=True) if other in recipes]
