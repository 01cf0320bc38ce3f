"""Which platform this device is, in Greengrass words, and whether a manifest is for it."""

from __future__ import annotations

import platform as host
import re
from collections.abc import Mapping
from typing import Any

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "aarch64", "arm64": "aarch64", "i686": "x86"}


def this_platform() -> dict[str, str]:
    """`os` and `architecture` as recipes name them: linux; amd64, aarch64, arm, x86."""
    machine = host.machine().lower()
    architecture = "arm" if machine.startswith("armv") else _ARCHITECTURES.get(machine, machine)
    return {"os": host.system().lower(), "architecture": architecture}


def matches(wanted: Mapping[str, Any], platform: Mapping[str, str]) -> bool:
    """Whether every key of a manifest's Platform holds: exact, `*` (or `all`), or `/regular expression/`."""
    return all(_holds(str(value), platform.get(str(key).lower())) for key, value in wanted.items())


def _holds(value: str, actual: str | None) -> bool:
    if value in ("*", "all", "any"):
        return True
    if actual is None:
        return False
    if len(value) > 2 and value.startswith("/") and value.endswith("/"):
        return re.fullmatch(value[1:-1], actual) is not None
    return value.lower() == actual
