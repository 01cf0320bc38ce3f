"""What the agent says of the components that are followed. Imports no numpy: the probe reads it, too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from lineside.contract.configuration import FOLLOWED_VARIABLE
from lineside.contract.reading import UNREADABLE


def followed_folders(environment: Mapping[str, str]) -> dict[str, Path]:
    """Where each followed component lies now; nothing when none is followed, or when the file cannot be read."""
    file = environment.get(FOLLOWED_VARIABLE)
    if not file:
        return {}
    try:
        folders = msgspec.json.decode(Path(file).read_bytes(), type=dict[str, str])
    except (OSError, *UNREADABLE):
        return {}
    return {component: Path(folder) for component, folder in folders.items() if folder}


def slots_of(folders: Mapping[str, Path], models: Mapping[str, Path], main: Path) -> dict[str, tuple[str, ...]]:
    """The models that each followed component is, by component: those in its folder, or in the folder of another of
    its versions (`…/COMPONENT/VERSION`, as the agent lays them out). Where folders do not say so, a single component
    is the models of `main`, the process's own folder. What no model is of is left out."""
    found = {component: names for component, folder in folders.items() if (names := _of(component, folder, models))}
    own = tuple(name for name, folder in models.items() if folder == main)
    said = found or any(folder.parent.name == component for component, folder in folders.items())
    return found if said or len(folders) != 1 or not own else dict.fromkeys(folders, own)


def _of(component: str, folder: Path, models: Mapping[str, Path]) -> tuple[str, ...]:
    exact = tuple(name for name, own in models.items() if own == folder)
    if exact or folder.parent.name != component:
        return exact
    return tuple(name for name, own in models.items() if own.parent == folder.parent)
