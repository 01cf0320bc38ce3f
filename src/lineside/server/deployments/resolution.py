"""Which components a deployment comes to: those it names, and what they depend on in the newest version that will do.

Components that come with the agent (see `contract/recipes/builtin.py`) are checked here and added by no one: the agent
has them. Pure but for the catalogue it asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from lineside.contract.deployment import ComponentSpec
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.builtin import builtin_version
from lineside.contract.recipes.recipe import Dependency
from lineside.contract.recipes.versions import parse_version, satisfies

_MOST_ROUNDS = 1000


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
    """The named components and their dependencies, each of these in the newest version that meets every requirement.

    A SOFT dependency that nothing meets is left out. Raises `deployment.dependency`, `deployment.dependency_version`.
    """
    versions = {name: spec.component_version for name, spec in components.items()}
    for _ in range(_MOST_ROUNDS):
        needs = _needs(versions, catalogue)
        changes = (_change(need, needs, versions, components, catalogue) for need in needs)
        change = next((one for one in changes if one), None)
        if change is None:
            return _specs(components, versions, needs)
        versions |= change
    raise _refused("deployment.dependency", needs[0], None)  # requirements that chase one another


def _specs(
    components: Mapping[str, ComponentSpec], versions: Mapping[str, str], needs: Sequence[Need]
) -> dict[str, ComponentSpec]:
    """What is named and what that needs, by name; what only an abandoned version needed is left out."""
    used: set[str] = set()
    look = list(components)
    while look:
        name = look.pop()
        if name not in used and name in versions:
            used.add(name)
            look += [need.dependency for need in needs if need.name == name]
    return {name: components.get(name) or ComponentSpec(component_version=versions[name]) for name in sorted(used)}


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
    named: Mapping[str, ComponentSpec],
    catalogue: Catalogue,
) -> dict[str, str] | None:
    """The version to use of what is needed, or None when it is met or, SOFT, cannot be met."""
    present = versions.get(need.dependency) or builtin_version(need.dependency)
    if present is not None and satisfies(present, need.requirement):
        return None
    if need.dependency in named or builtin_version(need.dependency) is not None:
        raise _refused("deployment.dependency_version", need, present)
    wanted = [one.requirement for one in needs if one.dependency == need.dependency and (one.hard or one is need)]
    candidates = [one for one in catalogue.versions(need.dependency) if all(satisfies(one, each) for each in wanted)]
    if candidates:
        return {need.dependency: max(candidates, key=parse_version)}
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
