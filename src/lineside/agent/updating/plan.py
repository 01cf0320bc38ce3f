"""What to do next: `plan(current, desired, facts)` looks at what is and what should be, and returns steps as data.

It touches neither disk nor network and remembers nothing. The agent carries steps out and plans again until nothing is
left, so a crash is just another planning round.

What runs is left alone until everything new is verified, fetched and staged, and until the components that run were
asked. A trial begins with `Begin` and ends with `Commit`, or with a failure that makes the good set wanted again. A
newer document supersedes a trial: it starts from the good set too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lineside.agent.updating.installed import Attempt, Component, ComponentSet, Outcome, Package, document_of
from lineside.agent.updating.prints import fingerprints, same_base, same_configuration
from lineside.agent.updating.steps import (
    AwaitAgent,
    Begin,
    Bootstrap,
    Collect,
    Commit,
    Configure,
    FetchArtifact,
    FetchRecipe,
    Notify,
    RefreshTrust,
    Settle,
    Stage,
    Start,
    Step,
    Stop,
    SwitchAgent,
    Uninstall,
    Validate,
)
from lineside.agent.updating.supplied import AGENT, LOCAL, is_signed, with_builtins
from lineside.contract.configuration import effective
from lineside.contract.desired import Desired, DesiredComponent
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
    asked: frozenset[str] = frozenset()  # what was asked for this document: "Validate", "Notify"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of the device while it is planned for. `listening`: components that hear of new configurations;
    `local`: digests of recipes that a person has deployed on the device."""

    listening: frozenset[str] = frozenset()
    local: frozenset[str] = frozenset()
    agent: str | None = None  # which agent runs: its recipe's digest, "" for the one installed by hand; None: it stays
    agent_failed: str | None = None  # the digest of the one that was given up last
    agent_on_trial: bool = False  # the loader may still return to the agent before


_NO_FACTS = Facts()


def plan(current: Current, desired: Desired, facts: Facts = _NO_FACTS) -> list[Step]:
    """The next steps; empty when nothing is left to do. Raises `recipe.…` for a document that cannot be met."""
    document = document_of(desired)
    outcome = current.outcome
    if outcome is not None and outcome.document == document:
        return _run(current, base_set(current), facts) or _collect(current, desired)
    if current.good.document == document and current.attempt is None:
        return _run(current, current.good, facts) or _collect(current, desired)
    if current.attempt is not None and current.attempt.wanted.document == document:
        return _try(current, current.attempt, desired, facts)
    return _prepare(current, desired, facts)


def base_set(current: Current) -> ComponentSet:
    """What should run while nothing new is ready: the good set, or a failed one that is to be left as it is."""
    held = current.outcome is not None and current.outcome.held
    return current.attempt.wanted if held and current.attempt is not None else current.good


def _prepare(current: Current, desired: Desired, facts: Facts) -> list[Step]:
    """Keep the good set running; verify, fetch and stage the new one; ask what runs; then begin."""
    components = with_builtins(desired.components, current.recipes)
    missing = [item for item in components if not _is_believed(current, item, facts)]
    wanted = _fetches(missing, document_of(desired))
    if wanted:
        return [*_run(current, base_set(current), facts), *wanted]
    recipes = {item.name: current.recipes[item.recipe_digest] for item in components}
    check(recipes)
    target = _target(current, desired, components, recipes)
    artifacts = _missing_artifacts(current, target)
    if artifacts:
        return [*_run(current, base_set(current), facts), *artifacts]
    return [*_stages(current, target), *(_questions(current, target, desired, facts) or [Begin(target)])]


def _questions(current: Current, target: ComponentSet, desired: Desired, facts: Facts) -> list[Step]:
    """What to ask of the components that run before any of them is touched; it is planned anew after the answers."""
    deployment = desired.deployment or target.document
    prints = fingerprints(target, current.recipes)
    base = base_set(current)
    questions: list[Step] = []
    changed = {
        item.name: item.configuration
        for item in target.components
        if item.name in current.running
        and (own := base.named(item.name)) is not None
        and own.configuration != item.configuration
    }
    if changed and "Validate" not in current.asked:
        questions.append(Validate(target, deployment, changed, desired.validation_policy.timeout_in_seconds))
    names = tuple(sorted(_to_stop(current, prints, facts)))
    policy = desired.update_policy
    if names and policy.action == "NOTIFY_COMPONENTS" and "Notify" not in current.asked:
        questions.append(Notify(target.document, deployment, names, policy.timeout_in_seconds))
    return questions


def _is_believed(current: Current, item: DesiredComponent, facts: Facts) -> bool:
    """Whether a recipe is there, and may be run: the good set runs it, or it was checked for this document."""
    if item.recipe_digest not in current.recipes:
        return False
    own = current.good.named(item.name)
    if own is not None and (own.recipe_digest, own.target) == (item.recipe_digest, item.target):
        return True
    if item.target.startswith(LOCAL):
        return item.recipe_digest in facts.local
    return item.target in current.verified


def _fetches(missing: list[DesiredComponent], document: str) -> list[Step]:
    trust: list[Step] = [RefreshTrust()] if any(is_signed(item.target) for item in missing) else []
    return [*trust, *(FetchRecipe(item, document) for item in missing)]


def _target(
    current: Current, desired: Desired, items: Iterable[DesiredComponent], recipes: Mapping[str, Recipe]
) -> ComponentSet:
    components = []
    base = base_set(current)
    for item in items:
        own = base.named(item.name)
        defaults = recipes[item.name].default_configuration
        components.append(
            Component(
                name=item.name,
                version=item.version,
                target=item.target,
                recipe_digest=item.recipe_digest,
                configuration=effective(own.configuration if own else {}, defaults, item.configuration_update),
                run_with=item.run_with,
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


def _try(current: Current, attempt: Attempt, desired: Desired, facts: Facts) -> list[Step]:
    """Go on with a trial: from its beginning, or from wherever a crash left it."""
    wanted = attempt.wanted
    again: list[Step] = [] if current.begun else [Begin(wanted)]
    missing = _missing_here(current, wanted) or _switch(wanted, facts, trial=True)
    if missing:
        return [*again, *missing]
    recipes = [current.recipes[item.recipe_digest] for item in wanted.components]
    soak = max([desired.soak_seconds, *(recipe.soak_seconds for recipe in recipes)])
    stops, starts = _changes(current, wanted, facts, trial=True)
    bootstraps = _bootstraps(current, attempt)
    deployment = desired.deployment or wanted.document
    agent: list[Step] = [AwaitAgent()] if facts.agent_on_trial else []
    return [*again, *stops, *bootstraps, *starts, Settle(soak), *agent, Commit(deployment)]


def _bootstraps(current: Current, attempt: Attempt) -> list[Step]:
    """Bootstrap steps of versions that are new, or whose script is: once in a trial, in start order."""
    wanted = attempt.wanted
    recipes = {item.name: current.recipes[item.recipe_digest] for item in wanted.components}
    components = {item.name: item for item in wanted.components}
    return [
        Bootstrap(components[name], wanted)
        for name in start_order(recipes)
        if name not in attempt.bootstrapped and _needs_bootstrap(current, components[name], recipes[name])
    ]


def _needs_bootstrap(current: Current, component: Component, recipe: Recipe) -> bool:
    step = recipe.lifecycle.get("bootstrap")
    own = current.good.named(component.name)
    if step is None or own is None or own.version != component.version:
        return step is not None
    before = current.recipes.get(own.recipe_digest)
    return before is None or before.lifecycle.get("bootstrap") != step


def _missing_here(current: Current, wanted: ComponentSet) -> list[Step]:
    """What a set needs on disk before it can run; empty unless the disk lost something."""
    lost = [_as_desired(item) for item in wanted.components if item.recipe_digest not in current.recipes]
    if lost:
        return _fetches(lost, wanted.document)
    return [*_missing_artifacts(current, wanted), *_stages(current, wanted)]


def _as_desired(item: Component) -> DesiredComponent:
    return DesiredComponent(name=item.name, version=item.version, target=item.target, recipe_digest=item.recipe_digest)


def _run(current: Current, wanted: ComponentSet, facts: Facts) -> list[Step]:
    """See that a set runs that was healthy before; what the disk lost is fetched first."""
    lost = _missing_here(current, wanted) or _switch(wanted, facts, trial=False)
    if lost:
        return lost
    stops, starts = _changes(current, wanted, facts, trial=False)
    return [*stops, *starts]


def _switch(wanted: ComponentSet, facts: Facts, *, trial: bool) -> list[Step]:
    """Another agent, before any component is touched. Outside a trial one that failed is not asked for again."""
    own = wanted.named(AGENT)
    digest = own.recipe_digest if own is not None else ""
    if digest == (facts.agent or "") or (not trial and (facts.agent is None or digest == facts.agent_failed)):
        return []
    return [SwitchAgent(own, wanted.document)]


def _to_stop(current: Current, prints: Mapping[str, str], facts: Facts) -> list[str]:
    """What runs and should not, or not like this."""
    return [
        name
        for name, own in current.running.items()
        if prints.get(name) != own and not _may_configure(name, own, prints, facts)
    ]


def _may_configure(name: str, own: str, prints: Mapping[str, str], facts: Facts) -> bool:
    if name not in prints or not same_base(own, prints[name]):
        return False
    return name in facts.listening or same_configuration(own, prints[name])


def _changes(current: Current, wanted: ComponentSet, facts: Facts, *, trial: bool) -> tuple[list[Step], list[Step]]:
    """Stop what should not run (dependents first), start or configure what should (dependencies first)."""
    prints = fingerprints(wanted, current.recipes)
    recipes = {item.name: current.recipes[item.recipe_digest] for item in wanted.components}
    components = {item.name: item for item in wanted.components}
    stops = _to_stop(current, prints, facts)
    starts: list[Step] = []
    for name in start_order(recipes):
        own = current.running.get(name)
        if own == prints[name]:
            continue
        if own is not None and name not in stops:
            starts.append(Configure(components[name], prints[name], wanted))
        else:
            starts.append(Start(components[name], prints[name], wanted, trial))
    return [Stop(name) for name in reversed(stops)], starts


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
    return [*_uninstalls(current), *([Collect(tuple(old), unneeded)] if old or unneeded else [])]


def _uninstalls(current: Current) -> list[Step]:
    """Components that have left altogether. A version that only made way for another is not uninstalled."""
    here = {item.name for item in base_set(current).components}
    steps: list[Step] = []
    for (name, version), package in sorted(current.packages.items()):
        recipe = current.recipes.get(package.recipe_digest)
        if name in here or package.uninstalled or recipe is None or "uninstall" not in recipe.lifecycle:
            continue
        before = current.previous.named(name)
        known = before if before is not None and before.recipe_digest == package.recipe_digest else None
        bare = Component(
            name=name,
            version=version,
            target="",
            recipe_digest=package.recipe_digest,
            configuration=recipe.default_configuration,
        )
        steps.append(Uninstall(known or bare))
    return steps
