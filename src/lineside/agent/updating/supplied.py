"""Components that need no signature: those that come with the agent, and those a person on the device has put there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lineside.contract.desired import DesiredComponent
from lineside.contract.recipes.builtin import builtin_digest, builtin_target, builtin_version
from lineside.contract.recipes.recipe import Recipe

BUILTIN = "builtin/"
LOCAL = "local/"
AGENT = "lineside.agent"
"""The component that is the agent itself: nothing of it is started, but the agent makes way for it."""


def is_signed(target: str) -> bool:
    """Whether a recipe of this target is believed only with a signature."""
    return not target.startswith((BUILTIN, LOCAL))


def with_builtins(components: Iterable[DesiredComponent], recipes: Mapping[str, Recipe]) -> list[DesiredComponent]:
    """The components, and the built-in ones that they depend on but that the document does not name.

    `recipes` (by digest) may lack some: their dependencies are found once they are there.
    """
    found = {item.name: item for item in components}
    waiting = list(found.values())
    while waiting:
        recipe = recipes.get(waiting.pop().recipe_digest)
        for name in sorted(recipe.dependencies) if recipe is not None else ():
            builtin = None if name in found else _builtin(name)
            if builtin is not None:
                found[name] = builtin
                waiting.append(builtin)
    return list(found.values())


def _builtin(name: str) -> DesiredComponent | None:
    target, version, digest = builtin_target(name), builtin_version(name), builtin_digest(name)
    if target is None or version is None or digest is None:
        return None
    return DesiredComponent(name=name, version=version, target=target, recipe_digest=digest)
