"""Which components deployments come to: those they name, and what these depend on, each in the newest version that will
do. What is asked for is a version or a requirement (`^1.2`), as recipes write them.

Components that come with the agent (see `contract/recipes/builtin.py`) are checked here and added by no one: the agent
has them. Pure but for the catalogue it asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from lineside.contract.deployment import ComponentSpec
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.builtin import builtin_version
from lineside.contract.recipes.recipe import Dependency
from lineside.contract.recipes.versions import is_exact, parse_version, satisfies

_MOST_ROUNDS = 1000

Asked = Mapping[str, Sequence[str]]
"""What is asked of each named component: one requirement from each deployment that names it."""


class Catalogue(Protocol):
    """What can be deployed."""

    def versions(self, name: str) -> Sequence[str]:
        """The versions of a component that this deployment may use."""
        ...

    def dependencies(self, name: str, version: str) -> Mapping[str, Dependency]:
        """What the recipe of a component version depends on."""
        ...


class Need(NamedTuple):
    """Who needs which version of what."""

    name: str
    version: str
    dependency: str
    requirement: str
    hard: bool


def resolve(components: Mapping[str, ComponentSpec], catalogue: Catalogue) -> dict[str, ComponentSpec]:
    """The named components and their dependencies, each in the newest version that meets every requirement.

    A SOFT dependency that nothing meets is left out. Raises `deployment.no_version`, `deployment.dependency`,
    `deployment.dependency_version`, `recipe.version`.
    """
    versions = settle({name: (spec.component_version,) for name, spec in components.items()}, catalogue)
    return {name: spec_of(components.get(name), version) for name, version in versions.items()}


def spec_of(named: ComponentSpec | None, version: str) -> ComponentSpec:
    """What is deployed of a component: as it was named, in the version that was found."""
    if named is None:
        return ComponentSpec(component_version=version)
    return msgspec.structs.replace(named, component_version=version)


def settle(asked: Asked, catalogue: Catalogue) -> dict[str, str]:
    """The version of each component that is asked for or needed, by name. Raises as `resolve` does."""
    versions = {name: _first(name, requirements, catalogue) for name, requirements in asked.items()}
    for _ in range(_MOST_ROUNDS):
        needs = _needs(versions, catalogue)
        changes = (_change(need, needs, versions, asked, catalogue) for need in needs)
        change = next((one for one in changes if one), None)
        if change is None:
            used = _used(asked, needs)
            return {name: versions[name] for name in sorted(used & versions.keys())}
        versions |= change
    raise _refused("deployment.dependency", needs[0], None)  # requirements that chase one another


def newest(name: str, requirements: Iterable[str], catalogue: Catalogue) -> str | None:
    """The newest version of a component that meets them all, or None."""
    wanted = tuple(requirements)
    fitting = [one for one in catalogue.versions(name) if all(satisfies(one, each) for each in wanted)]
    return max(fitting, key=parse_version) if fitting else None


def _first(name: str, requirements: Sequence[str], catalogue: Catalogue) -> str:
    builtin = builtin_version(name)
    if builtin is not None:
        return builtin
    if len(set(requirements)) == 1 and is_exact(requirements[0]):
        return requirements[0]
    found = newest(name, requirements, catalogue)
    if found is None:
        known = ", ".join(sorted(catalogue.versions(name), key=parse_version)) or "none"
        raise LinesideError("deployment.no_version", name=name, requirement=" and ".join(requirements), versions=known)
    return found


def _used(asked: Asked, needs: Sequence[Need]) -> set[str]:
    """What is asked for and what that needs; what only an abandoned version needed is left out."""
    used: set[str] = set()
    look = list(asked)
    while look:
        name = look.pop()
        if name not in used:
            used.add(name)
            look += [need.dependency for need in needs if need.name == name]
    return used


def check_builtin(name: str, version: str) -> str | None:
    """The version that a built-in component is deployed as; None for any other name.

    What a Greengrass document names is met by the same interface, newer: 2.9.1 by 2.15.0. A requirement will do too.
    Raises `deployment.builtin_version`.
    """
    ours = builtin_version(name)
    if ours is None:
        return None
    try:
        parse_version(version)
        requirement = f"^{version}"
    except LinesideError:
        requirement = version
    if not satisfies(ours, requirement):
        raise LinesideError("deployment.builtin_version", name=name, version=version, found=ours)
    return ours


def _needs(versions: Mapping[str, str], catalogue: Catalogue) -> list[Need]:
    return [
        Need(name, version, dependency, one.requirement, one.hard)
        for name, version in sorted(versions.items())
        if builtin_version(name) is None
        for dependency, one in sorted(catalogue.dependencies(name, version).items())
    ]


def _change(
    need: Need,
    needs: Sequence[Need],
    versions: Mapping[str, str],
    asked: Asked,
    catalogue: Catalogue,
) -> dict[str, str] | None:
    """The version to use of what is needed, or None when it is met or, SOFT, cannot be met."""
    present = versions.get(need.dependency) or builtin_version(need.dependency)
    if present is not None and satisfies(present, need.requirement):
        return None
    if builtin_version(need.dependency) is not None:
        raise _refused("deployment.dependency_version", need, present)
    wanted = [one.requirement for one in needs if one.dependency == need.dependency and (one.hard or one is need)]
    found = newest(need.dependency, [*wanted, *asked.get(need.dependency, ())], catalogue)
    if found is not None:
        return {need.dependency: found}
    if need.dependency in asked:
        raise _refused("deployment.dependency_version", need, present)
    if present is not None or need.hard:
        raise _refused("deployment.dependency", need, present)
    return None


def _refused(code: str, need: Need, found: str | None) -> LinesideError:
    return LinesideError(
        code,
        name=need.name,
        version=need.version,
        dependency=need.dependency,
        requirement=need.requirement,
        found=found or "nothing",
    )
