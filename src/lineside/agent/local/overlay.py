"""A desired document with what was deployed locally on top of it. Pure.

    the desired document ─► without what was removed here ─► with what was deployed here

What was deployed here on top of revision N counts until a revision after N names the same component: the newest
decision wins. The result keeps the desired document's revision, which is what reports speak about.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import msgspec

from lineside.agent.local.model import LocalComponent, Overlay
from lineside.contract.configuration import effective
from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.desired import Desired, DesiredComponent

LOCAL = "local/"
"""How the target of an unsigned component begins."""


def local_target(name: str, version: str) -> str:
    """What a desired document calls the recipe of a component that was deployed on the device."""
    return f"{LOCAL}{name}-{version}"


def prune(overlay: Overlay, desired: Desired) -> Overlay:
    """The overlay without what a later revision has decided."""
    named = {item.name for item in desired.components}
    return Overlay(
        components={
            name: item
            for name, item in overlay.components.items()
            if name not in named or item.since >= desired.revision
        },
        removed={name: since for name, since in overlay.removed.items() if name in named and since >= desired.revision},
    )


def apply(base: Desired, overlay: Overlay) -> Desired:
    """What should run: `base` with the overlay on top."""
    if not overlay.components and not overlay.removed:
        return base
    kept = {item.name: item for item in base.components if item.name not in overlay.removed}
    kept |= {name: item.component for name, item in overlay.components.items()}
    return msgspec.structs.replace(base, components=tuple(kept[name] for name in sorted(kept)))


def changed(before: Overlay, after: Overlay) -> set[str]:
    """Names of components about which two overlays differ."""
    names = set(before.components) | set(after.components) | set(before.removed) | set(after.removed)
    return {
        name
        for name in names
        if before.components.get(name) != after.components.get(name)
        or before.removed.get(name) != after.removed.get(name)
    }


def with_components(overlay: Overlay, items: Iterable[LocalComponent]) -> Overlay:
    """The overlay with these on top; what was removed and comes back is no longer removed."""
    added = {item.component.name: item for item in items}
    removed = {name: since for name, since in overlay.removed.items() if name not in added}
    return Overlay(components=overlay.components | added, removed=removed)


def without(overlay: Overlay, name: str, base: Desired) -> Overlay:
    """The overlay with a component removed, whether it was deployed here or is in the desired document."""
    removed = dict(overlay.removed)
    if any(item.name == name for item in base.components):
        removed[name] = base.revision
    return Overlay(components={k: v for k, v in overlay.components.items() if k != name}, removed=removed)


def configured(item: DesiredComponent, update: ConfigurationUpdate) -> DesiredComponent:
    """A component of the desired document with one more update after its own: the same as one after the other."""
    own = item.configuration_update
    before: dict[str, Any] = effective(own.merge, {}, ConfigurationUpdate(reset=update.reset))
    merged = effective(before, {}, ConfigurationUpdate(merge=copy.deepcopy(update.merge)))
    replaced = _replaced(before, update.merge)
    both = ConfigurationUpdate(merge=merged, reset=(*own.reset, *update.reset, *replaced))
    return msgspec.structs.replace(item, configuration_update=both)


def _replaced(first: dict[str, Any], then: dict[str, Any], above: str = "") -> list[str]:
    """Pointers to where a plain value comes first and an object then: whatever was there before must not be merged."""
    found = []
    for key, value in then.items():
        pointer = f"{above}/{key.replace('~', '~0').replace('/', '~1')}"
        if not isinstance(value, dict) or key not in first:
            continue
        if isinstance(first[key], dict):
            found += _replaced(first[key], value, pointer)
        else:
            found.append(pointer)
    return found
