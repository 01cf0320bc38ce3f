"""Fingerprints: what a component's process was started with. When it differs, the process must be started anew.

A fingerprint is `BASE:CONFIGURATION:FOLLOWED`. The base covers the recipe, `runWith`, the recipes of HARD dependencies
and of theirs (a change there restarts it, as in Greengrass), and the configuration of a dependency that its scripts
mention. When the base is the same, a component that listens can be told of its new configuration instead. What its
recipe says that it follows (`lineside.follows`) is no part of its base: of new versions it is told in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineside.agent.updating.installed import ComponentSet
from lineside.contract.configuration import follows
from lineside.contract.ids import content_digest
from lineside.contract.recipes.dependencies import start_order
from lineside.contract.recipes.recipe import Recipe


def fingerprints(wanted: ComponentSet, recipes: Mapping[str, Recipe]) -> dict[str, str]:
    """The fingerprints of a set by component name; `recipes` by digest."""
    components = {item.name: item for item in wanted.components}
    prints: dict[str, str] = {}
    lineage: dict[str, str] = {}
    for name in start_order({key: recipes[item.recipe_digest] for key, item in components.items()}):
        own = components[name]
        recipe = recipes[own.recipe_digest]
        needs = [other for other in sorted(recipe.dependencies) if other in components]
        followed = follows(own.configuration, recipe.default_configuration).intersection(needs)
        above = [lineage[other] for other in needs if recipe.dependencies[other].hard and other not in followed]
        lineage[name] = content_digest([own.recipe_digest, above])
        mentioned = [components[other].configuration for other in needs if _mentions(recipe, other)]
        base = content_digest([lineage[name], own.run_with, mentioned])
        told = [components[other].recipe_digest for other in sorted(followed)]
        prints[name] = ":".join(
            _short(part) for part in (base, content_digest(own.configuration), content_digest(told))
        )
    return prints


def same_base(one: str, other: str) -> bool:
    """Whether only the component's own configuration differs, or what it follows, if anything does."""
    return one.split(":")[0] == other.split(":")[0]


def same_configuration(one: str, other: str) -> bool:
    """Whether the component's own configuration is the same."""
    return one.split(":")[1:2] == other.split(":")[1:2]


def same_followed(one: str, other: str) -> bool:
    """Whether what the component follows is the same."""
    return one.split(":")[2:] == other.split(":")[2:]


def with_configuration(fingerprint: str, configuration: dict[str, Any]) -> str:
    """The fingerprint of the same component with another configuration."""
    base, _, followed = fingerprint.split(":")
    return f"{base}:{_short(content_digest(configuration))}:{followed}"


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:32]


def _mentions(recipe: Recipe, other: str) -> bool:
    """Whether the scripts or variables of a recipe read a dependency's configuration."""
    texts = [step.script for step in recipe.lifecycle.values()]
    texts += [text for step in recipe.lifecycle.values() for text in step.setenv.values()]
    return any(f"{{{other}:configuration:" in text for text in [*texts, *recipe.setenv.values()])
