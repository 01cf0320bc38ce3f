"""Single values that strangers wrote: numbers, names, sources. What is none is None or NaN, never an exception."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import msgspec

from lineside.contract.dataset import LabelSource

_LARGEST = 1e9  # of a coordinate or size
_LONGEST = 256  # characters of a name


def number(value: Any) -> float:
    """A finite number below 1e9, written as a number or in words; else NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    if isinstance(value, int):
        return float(value) if abs(value) < _LARGEST else math.nan
    try:
        found = float(value)
    except ValueError:
        return math.nan
    return found if abs(found) < _LARGEST else math.nan


def finite(*values: float) -> bool:
    """Whether all of them are numbers."""
    return all(map(math.isfinite, values))


def word(value: Any) -> str | None:
    """A name of one line, written as text or as a whole number; None where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return None
    found = str(value).strip()
    return found if found and len(found) <= _LONGEST else None


def size(width: Any, height: Any) -> tuple[int, int] | None:
    """A picture's size in pixels, where both are given."""
    wide, high = number(width), number(height)
    return (int(wide), int(high)) if wide >= 1 and high >= 1 else None


def source(value: Any) -> LabelSource | None:
    """Who labelled, from plain data with the struct's own keys."""
    if not isinstance(value, dict):
        return None
    try:
        found = msgspec.convert(value, LabelSource)
    except msgspec.ValidationError:
        return None
    return found if max(len(found.by), len(found.version)) <= _LONGEST else None


def time(value: Any) -> str | None:
    """A point in time as RFC 3339 says it."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return value if found.tzinfo is not None and "T" in value else None


def mapping(value: Any) -> dict[Any, Any]:
    """A mapping, or an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else []
