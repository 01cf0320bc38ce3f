"""What to do next: `plan(current, desired)` looks at what is and what should be, and returns steps as plain data.

It touches neither disk nor network and remembers nothing. The agent carries steps out and plans again until nothing is
left, so a crash is just another planning round.

What runs is left alone until everything new is verified, fetched and staged. A trial begins with `Begin` and ends with
`Commit`, or with a failure that makes the good set wanted again.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lineside.agent.updating.installed import Attempt, Component, ComponentSet, Outcome, Package, document_of
from lineside.agent.updating.steps import (
    Begin,
    Collect,
    Commit,
    FetchArtifact,
    FetchRecipe,
    RefreshTrust,
    Settle,
    Stage,
    Start,
    Step,
    Stop,
)
from lineside.contract.configuration import effective
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.ids import content_digest
from lineside.contract.recipes.dependencies import check, start_order
from lineside.contract.recipes.recipe import Recipe


class Current(msgspec.Struct, frozen=True, kw_only=True):
    """What is: remembered sets, what is on disk, and what runs now (component name to fingerprint)."""

    good: ComponentSet
    previous: ComponentSet
    attempt: Attempt | None = None
    outcome: Outcome | None = None
    recipes: Mapping[str, Recipe] = {}  # by digest
    stored: frozenset[str] = frozenset()
    verified: frozenset[str] = frozenset()  # targets whose signatures were checked for this document
    packages: Mapping[tuple[str, str], Package] = {}
    running: Mapping[str, str] = {}
    begun: bool = False  # this process has counted its try of the attempt


def plan(current: Current, desired: Desired) -> list[Step]:
    """The next steps; empty when nothing is left to do. Raises `recipe.…` for a document that cannot be met."""
    document = document_of(desired)
    outcome = current.outcome
    if outcome is not None and outcome.document == document:
        return _run(current, base_set(current), trial=False) or _collect(current, desired)
    if current.good.document == document and current.attempt is None:
        return _run(current, current.good, trial=False) or _collect(current, desired)
    if current.attempt is not None and current.attempt.wanted.document == document:
        return _try(current, current.attempt.wanted, desired)
    return _prepare(current, desired)


def base_set(current: Current) -> ComponentSet:
    """What should run while nothing new is ready: the good set, or a failed one that is to be left as it is."""
    held = current.outcome is not None and current.outcome.held
    return current.attempt.wanted if held and current.attempt is not None else current.good


def _prepare(current: Current, desired: Desired) -> list[Step]:
    """Keep the good set running; verify, fetch and stage the new one; then begin."""
    wanted = _missing_recipes(current, desired)
    if wanted:
        return [*_run(current, base_set(current), trial=False), RefreshTrust(), *wanted]
    recipes = {item.name: current.recipes[item.recipe_digest] for item in desired.components}
    check(recipes)
    target = _target(current, desired, recipes)
    missing = _missing_artifacts(current, target)
    if missing:
        return [*_run(current, base_set(current), trial=False), *missing]
    return [*_stages(current, target), Begin(target)]


def _missing_recipes(current: Current, desired: Desired) -> list[Step]:
    """Recipes to fetch or to check: all but those that the good set already runs by the same digest and target."""
    return [
        FetchRecipe(item, document_of(desired))
        for item in desired.components
        if item.recipe_digest not in current.recipes
        or (item.target not in current.verified and not _runs_already(current.good, item))
    ]


def _runs_already(good: ComponentSet, item: DesiredComponent) -> bool:
    own = good.named(item.name)
    return own is not None and (own.recipe_digest, own.target) == (item.recipe_digest, item.target)


def _target(current: Current, desired: Desired, recipes: Mapping[str, Recipe]) -> ComponentSet:
    components = []
    for item in desired.components:
        own = current.good.named(item.name)
        defaults = recipes[item.name].default_configuration
        components.append(
            Component(
                name=item.name,
                version=item.version,
                target=item.target,
                recipe_digest=item.recipe_digest,
                configuration=effective(own.configuration if own else {}, defaults, item.configuration_update),
            )
        )
    return ComponentSet(document=document_of(desired), revision=desired.revision, components=tuple(components))


def _missing_artifacts(current: Current, wanted: ComponentSet) -> list[Step]:
    """Artifacts of packages that are not staged, each once."""
    needed = {
        artifact.digest: artifact.name
        for component in wanted.components
        if not _is_staged(current, component)
        for artifact in current.recipes[component.recipe_digest].artifacts
    }
    return [FetchArtifact(digest, name) for digest, name in needed.items() if digest not in current.stored]


def _is_staged(current: Current, component: Component) -> bool:
    package = current.packages.get((component.name, component.version))
    return package is not None and package.recipe_digest == component.recipe_digest


def _stages(current: Current, wanted: ComponentSet) -> list[Step]:
    return [Stage(component) for component in wanted.components if not _is_staged(current, component)]


def _try(current: Current, wanted: ComponentSet, desired: Desired) -> list[Step]:
    """Go on with a trial: from its beginning, or from wherever a crash left it."""
    again: list[Step] = [] if current.begun else [Begin(wanted)]
    if _missing_here(current, wanted):
        return [*again, *_missing_here(current, wanted)]
    return [*again, *_run(current, wanted, trial=True), Settle(desired.soak_seconds), Commit()]


def _missing_here(current: Current, wanted: ComponentSet) -> list[Step]:
    """What a set needs on disk before it can run; empty unless the disk lost something."""
    lost: list[Step] = [
        FetchRecipe(_as_desired(item), wanted.document)
        for item in wanted.components
        if item.recipe_digest not in current.recipes
    ]
    return [RefreshTrust(), *lost] if lost else [*_missing_artifacts(current, wanted), *_stages(current, wanted)]


def _as_desired(item: Component) -> DesiredComponent:
    return DesiredComponent(name=item.name, version=item.version, target=item.target, recipe_digest=item.recipe_digest)


def _run(current: Current, wanted: ComponentSet, *, trial: bool) -> list[Step]:
    """Stop what should not run (dependents first), start what should (dependencies first), leave the rest alone."""
    lost = _missing_here(current, wanted)
    if lost:
        return lost
    prints = fingerprints(wanted, current.recipes)
    recipes = {item.name: current.recipes[item.recipe_digest] for item in wanted.components}
    stops = [name for name, value in current.running.items() if prints.get(name) != value]
    starts = [name for name in start_order(recipes) if current.running.get(name) != prints[name]]
    components = {item.name: item for item in wanted.components}
    return [
        *(Stop(name) for name in reversed(stops)),
        *(Start(components[name], prints[name], wanted, trial) for name in starts),
    ]


def fingerprints(wanted: ComponentSet, recipes: Mapping[str, Recipe]) -> dict[str, str]:
    """What a component's process was started with, by name: when it differs, the process must be started anew.

    Its own recipe and configuration, the recipes of its HARD dependencies and of theirs (a change there restarts it,
    as in Greengrass), and the configuration of a dependency that its scripts mention.
    """
    components = {item.name: item for item in wanted.components}
    prints: dict[str, str] = {}
    lineage: dict[str, str] = {}
    for name in start_order({key: recipes[item.recipe_digest] for key, item in components.items()}):
        recipe = recipes[components[name].recipe_digest]
        needs = [other for other in sorted(recipe.dependencies) if other in components]
        above = [lineage[other] for other in needs if recipe.dependencies[other].hard]
        lineage[name] = content_digest([components[name].recipe_digest, above])
        mentioned = [components[other].configuration for other in needs if _mentions(recipe, other)]
        prints[name] = content_digest([lineage[name], components[name].configuration, mentioned])
    return prints


def _mentions(recipe: Recipe, other: str) -> bool:
    """Whether the scripts or variables of a recipe read a dependency's configuration."""
    texts = [step.script for step in recipe.lifecycle.values()]
    texts += [text for step in recipe.lifecycle.values() for text in step.setenv.values()]
    return any(f"{{{other}:configuration:" in text for text in [*texts, *recipe.setenv.values()])


def _collect(current: Current, desired: Desired) -> list[Step]:
    """Remove what neither the good set, the one before, the one under trial nor the desired document names."""
    sets = [current.good, current.previous, *([current.attempt.wanted] if current.attempt else [])]
    items = [component for one in sets for component in one.components]
    recipes = {item.recipe_digest for item in items} | {item.recipe_digest for item in desired.components}
    artifacts = {
        artifact.digest for digest in recipes & set(current.recipes) for artifact in current.recipes[digest].artifacts
    }
    keep = frozenset(recipes | artifacts)
    old = [key for key in sorted(current.packages) if key not in {(item.name, item.version) for item in items}]
    unneeded = current.stored - keep
    return [Collect(tuple(old), unneeded)] if old or unneeded else []
