"""Whether a manifest is for a platform, in Greengrass words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


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
