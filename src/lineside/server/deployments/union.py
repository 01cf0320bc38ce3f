"""What a device runs that follows several deployments, one for each of its groups. Pure but for the catalogue.

A component that several name gets a version that all of them allow, the newest of those that they came to by
themselves if one of these will do. What each sets in its configuration holds; that two set one key to different
values, or want it run as different users, is a conflict as two versions are. No group wins over another.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lineside.contract.deployment import ComponentSpec, ConfigurationUpdate
from lineside.contract.errors import LinesideError
from lineside.contract.ids import canonical
from lineside.contract.recipes.builtin import is_builtin
from lineside.contract.recipes.recipe import Dependency
from lineside.server.deployments.resolution import Asked, Catalogue, newest, settle, spec_of

CONFLICT = "deployment.conflict"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What one deployment wants. `components` is what it comes to by itself; `asked` the requirement of each component
    that its document names (those it does not name are there because others depend on them)."""

    group: str
    components: Mapping[str, ComponentSpec]
    asked: Mapping[str, str]


def unite(wishes: Sequence[Wish], catalogue: Catalogue) -> dict[str, ComponentSpec]:
    """What all the wishes come to, by name. Raises `deployment.conflict` naming the groups and what each asks for."""
    if len(wishes) == 1:
        return dict(wishes[0].components)
    named = sorted({name for wish in wishes for name in wish.asked})
    asked = {name: [wish.asked[name] for wish in wishes if name in wish.asked] for name in named}
    specs = {name: _spec(name, wishes) for name in named}
    own = _Own(wishes, catalogue)
    for name in named:
        _check_versions(name, wishes, own)
    versions = _settled(wishes, asked, own, catalogue)
    return {name: spec_of(specs.get(name), version) for name, version in versions.items()}


def _settled(wishes: Sequence[Wish], asked: Asked, own: Catalogue, catalogue: Catalogue) -> dict[str, str]:
    """With the versions that the deployments came to by themselves where that is possible: what a device is told does
    not change because something newer was released."""
    try:
        return settle(asked, own)
    except LinesideError:
        try:
            return settle(asked, catalogue)
        except LinesideError as error:
            groups = " and ".join(sorted(wish.group for wish in wishes))
            raise LinesideError(CONFLICT, groups=groups, why=error.message.rstrip(".")) from error


class _Own:
    """A catalogue that offers, of what the deployments came to by themselves, only those versions."""

    def __init__(self, wishes: Sequence[Wish], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._versions: dict[str, set[str]] = {}
        for wish in wishes:
            for name, spec in wish.components.items():
                self._versions.setdefault(name, set()).add(spec.component_version)

    def versions(self, name: str) -> Sequence[str]:
        """See `resolution.Catalogue`."""
        own = self._versions.get(name)
        return sorted(own) if own else self._catalogue.versions(name)

    def all_versions(self, name: str) -> Sequence[str]:
        """Those, and everything else that is released."""
        return sorted({*self._versions.get(name, ()), *self._catalogue.versions(name)})

    def dependencies(self, name: str, version: str) -> Mapping[str, Dependency]:
        """See `resolution.Catalogue`."""
        return self._catalogue.dependencies(name, version)


class _All:
    """Every version that may be used."""

    def __init__(self, own: _Own) -> None:
        self.versions, self.dependencies = own.all_versions, own.dependencies


def _check_versions(name: str, wishes: Sequence[Wish], own: _Own) -> None:
    """Raises `deployment.conflict` when no version is what all who name it ask for; two who exclude one another are
    named, else all."""
    asking = [wish for wish in wishes if name in wish.asked]
    if is_builtin(name) or len(asking) < 2 or _meets(name, asking, own):
        return
    pairs = (pair for pair in itertools.combinations(asking, 2) if not _meets(name, pair, own))
    wanting = next(pairs, asking)
    raise _conflict(name, wanting, [f"asks for {wish.asked[name]}" for wish in wanting])


def _meets(name: str, wishes: Iterable[Wish], own: _Own) -> bool:
    return newest(name, [wish.asked[name] for wish in wishes], _All(own)) is not None


def _conflict(name: str, wishes: Iterable[Wish], said: Iterable[str]) -> LinesideError:
    groups = [wish.group for wish in wishes]
    each = ", ".join(f"{group} {words}" for group, words in zip(groups, said, strict=True))
    return LinesideError(CONFLICT, groups=" and ".join(groups), why=f"of {name}, {each}")


# --- configuration, and as whom it runs -----------------------------------------------------------------------------


def _spec(name: str, wishes: Sequence[Wish]) -> ComponentSpec:
    """What is said of a component beside its version. Raises `deployment.conflict` when two say different things."""
    naming = [wish for wish in wishes if name in wish.asked]
    for one, other in itertools.combinations(naming, 2):
        _check_settings(name, one, other)
    updates = [wish.components[name].configuration_update for wish in naming]
    merge: dict[str, Any] = {}
    for update in updates:
        merge = _merged(merge, update.merge)
    resets = {pointer: None for update in updates for pointer in update.reset}
    run_with = next((wish.components[name].run_with for wish in naming if wish.components[name].run_with), None)
    return ComponentSpec(
        component_version=naming[0].components[name].component_version,
        configuration_update=ConfigurationUpdate(merge=merge, reset=tuple(resets)),
        run_with=run_with,
    )


def _check_settings(name: str, one: Wish, other: Wish) -> None:
    mine, theirs = one.components[name], other.components[name]
    at = _difference(mine.configuration_update.merge, theirs.configuration_update.merge)
    if at is not None:
        raise _conflict(name, (one, other), [f"sets {at} in its configuration", "sets it to something else"])
    if mine.run_with and theirs.run_with and mine.run_with != theirs.run_with:
        raise _conflict(name, (one, other), ["says runWith", "says another one"])


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The JSON pointer to the first value that both have and that differs."""
    for key in sorted(one.keys() & other.keys()):
        mine, theirs = one[key], other[key]
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        if isinstance(mine, dict) and isinstance(theirs, dict):
            further = _difference(mine, theirs)
            if further is not None:
                return pointer + further
        elif canonical(mine) != canonical(theirs):
            return pointer
    return None


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in other.items():
        mine = both.get(key)
        both[key] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return both
