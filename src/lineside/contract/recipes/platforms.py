"""Whether a manifest is for a platform, in Greengrass words.

    os                   linux, windows, darwin
    architecture         amd64, aarch64, arm, x86
    architecture.detail  a finer word, such as arm's armv7l
    runtime              `*`, or aws_nucleus_lite: a manifest for the small nucleus is taken when no other fits
    any other key        holds only where the device says so

A value is a word, `*` (also `all` and `any`, as older recipes write it), or a `/regular expression/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ANY = ("*", "all", "any")
LITE = "aws_nucleus_lite"
OPERATING_SYSTEMS = ("linux", "windows", "darwin")
ARCHITECTURES = ("amd64", "aarch64", "arm", "x86")
MAX_PATTERN = 200
MAX_REPEATED = 6
"""Signs `*`, `+`, `?`, `{` in a pattern: more of them, or a repeated group, and one match may take for ever."""

_REPEATED = re.compile(r"[*+?{]")
_REPEATED_GROUP = re.compile(r"\)[*+?{]")


def matches(wanted: Mapping[str, Any], platform: Mapping[str, str]) -> bool:
    """Whether every key of a manifest's Platform holds. Raises `re.error` for a broken regular expression."""
    return all(_holds(str(value), platform.get(str(key).lower())) for key, value in wanted.items())


def pattern_of(value: str) -> re.Pattern[str] | None:
    """The regular expression that a value is; None for a word. Raises `re.error`."""
    if len(value) < 3 or not (value.startswith("/") and value.endswith("/")):
        return None
    if len(value) > MAX_PATTERN or _REPEATED_GROUP.search(value) or len(_REPEATED.findall(value)) > MAX_REPEATED:
        raise re.error("it is too long, repeats a group, or repeats too often")
    return re.compile(value[1:-1])


def _holds(value: str, actual: str | None) -> bool:
    if value.lower() in ANY:
        return True
    pattern = pattern_of(value)
    if actual is None:
        return False
    return value.lower() == actual.lower() if pattern is None else pattern.fullmatch(actual) is not None
