"""How the repository's files are called: `N.ROLE.json`, and `timestamp.json` without a number."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = re.compile(r"(?:(?P<version>[1-9][0-9]*)\.)?(?P<role>[a-z]+)\.json")


def is_metadata(name: str) -> bool:
    """Whether a client may ask for a file of this name."""
    matched = _NAME.fullmatch(name)
    return matched is not None and (matched["version"] is None) == (matched["role"] == "timestamp")


def versions_of(files: Iterable[str], role: str) -> list[int]:
    """The versions of a role among names of files, in no order."""
    names = (_NAME.fullmatch(name) for name in files)
    return [int(name["version"]) for name in names if name and name["version"] and name["role"] == role]


def name_of(role: str, version: int | None = None) -> str:
    """The file of a role's version."""
    return f"{role}.json" if role == "timestamp" else f"{version}.{role}.json"
