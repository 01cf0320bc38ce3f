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


def slots_of(folders: Mapping[str, Path], models: Mapping[str, Path], main: Path) -> dict[str, str]:
    """The model that each followed component is, by component: the one in its folder, or in the folder of another of
    its versions (`…/COMPONENT/VERSION`, as the agent lays them out). Where folders do not say so, a single component
    is the model of `main`, the process's own. What no model is of is left out."""
    found = {
        component: name
        for component, folder in folders.items()
        for name in [_of(component, folder, models)]
        if name is not None
    }
    own = [name for name, folder in models.items() if folder == main]
    said = found or any(folder.parent.name == component for component, folder in folders.items())
    return found if said or len(folders) != 1 or len(own) != 1 else dict(zip(folders, own, strict=True))


def _of(component: str, folder: Path, models: Mapping[str, Path]) -> str | None:
    exact = next((name for name, own in models.items() if own == folder), None)
    if exact is not None or folder.parent.name != component:
        return exact
    return next((name for name, own in models.items() if own.parent == folder.parent), None)
