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


def slots_of(folders: Mapping[str, Path], models: Mapping[str, Path]) -> dict[str, str]:
    """The model that each followed component is, by component: the one in its folder; a single one is the only one."""
    found = {
        component: name
        for component, folder in folders.items()
        for name in [next((name for name, own in models.items() if own == folder), None)]
        if name is not None
    }
    return dict(zip(folders, models, strict=True)) if not found and len(folders) == len(models) == 1 else found
