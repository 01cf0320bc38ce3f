"""Semantic versions and npm-style requirements, as Greengrass V2 `VersionRequirement` uses them.

Understood: exact (`1.0.0`, `=1.0.0`), `>` `>=` `<` `<=`, `^`, `~`, `*`, a space for "and", `||` for "or".
Sources: semver.org 2.0.0 section 11; node-semver README, "Ranges".
"""

from __future__ import annotations

import dataclasses
import functools
import re

from lineside.contract.errors import LinesideError

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_COMPARATOR = re.compile(r"\s*(>=|<=|>|<|=|\^|~)?\s*(\S+)")


@functools.total_ordering
@dataclasses.dataclass(frozen=True)
class Version:
    """A semantic version; ordered as semver section 11 says. Build metadata is ignored."""

    core: tuple[int, int, int]
    pre: tuple[str, ...] = ()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[tuple[int, int, int], int, tuple[tuple[int, int, str], ...]]:
        parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in self.pre)
        return self.core, 0 if self.pre else 1, parts


def parse_version(text: str) -> Version:
    """A version from its text. Raises `recipe.version`."""
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        raise LinesideError("recipe.version", text=text)
    major, minor, patch, pre = found.groups()
    return Version((int(major), int(minor), int(patch)), tuple(pre.split(".")) if pre else ())


def _above(version: Version, sign: str) -> Version:
    """The first version a `^` or `~` range no longer holds."""
    major, minor, patch = version.core
    if sign == "~" or (major == 0 and minor > 0):
        return Version((major, minor + 1, 0))
    if major == 0:
        return Version((0, 0, patch + 1))
    return Version((major + 1, 0, 0))


def _holds(version: Version, sign: str, bound: Version) -> bool:
    if sign in ("^", "~"):
        return bound <= version < _above(bound, sign) and not (version.pre and version.core == _above(bound, sign).core)
    return {
        ">": version > bound,
        ">=": version >= bound,
        "<": version < bound,
        "<=": version <= bound,
    }.get(sign, version == bound)


def _comparators(text: str) -> list[tuple[str, Version]]:
    found = _COMPARATOR.findall(text)
    if not found and text.strip():
        raise LinesideError("recipe.version", text=text)
    return [(sign, parse_version(bound)) for sign, bound in found if bound not in ("*", "x", "X")]


def satisfies(version: str, requirement: str) -> bool:
    """Whether a version meets a requirement. Raises `recipe.version` when either cannot be read.

    A pre-release meets only a requirement that names a pre-release of the same three numbers (node-semver).
    """
    candidate = parse_version(version)
    alternatives = [_comparators(part) for part in requirement.split("||")]
    return any(_meets(candidate, comparators) for comparators in alternatives)


def _meets(candidate: Version, comparators: list[tuple[str, Version]]) -> bool:
    if candidate.pre and not any(bound.pre and bound.core == candidate.core for _, bound in comparators):
        return False
    return all(_holds(candidate, sign, bound) for sign, bound in comparators)
