"""What the agent says of the component that is followed. Imports no numpy: the probe reads it, too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from lineside.contract.reading import UNREADABLE


def followed_folder(file: Path, component: str) -> Path | None:
    """Where the followed model lies: that of `component`, or of the only one there is; None without one."""
    try:
        folders = msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except (OSError, *UNREADABLE):
        return None
    only = next(iter(folders.values())) if len(folders) == 1 else None
    found = folders.get(component, only)
    return Path(found) if found else None


def model_component(environment: Mapping[str, str]) -> str:
    """The component of the model that a process runs, by what the agent tells it."""
    return f"{environment.get('LINESIDE_MODEL', '')}.model"
