"""Semantic versions and npm-style requirements, as Greengrass V2 `VersionRequirement` uses them.

Understood: exact (`1.0.0`, `=1.0.0`), `>` `>=` `<` `<=`, `^`, `~` (`~>`), x-ranges and partial versions (`1.x`, `1.2`,
`*`), hyphen ranges (`1.2.0 - 2`), a space for "and", `||` for "or", a space after a sign.
Sources: semver.org 2.0.0 section 11; node-semver README, "Ranges".
"""

from __future__ import annotations

import dataclasses
import functools
import re

from lineside.contract.errors import LinesideError

MAX_LENGTH = 256
_NUMBER = r"(?:0|[1-9][0-9]{0,15})"
_PART = rf"(?:{_NUMBER}|[xX*])"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_EXACT = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?")
_PARTIAL = re.compile(
    rf"[v=]*({_PART})(?:\.({_PART})(?:\.({_PART})(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?)?)?", re.ASCII
)
_COMPARATOR = re.compile(r"(>=|<=|>|<|=|\^|~>|~)?\s*([^\s<>=^~|]+)")
_HYPHEN = re.compile(r"\s*(\S+)\s+-\s+(\S+)\s*")


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


def is_exact(text: str) -> bool:
    """Whether `text` is a semantic version and nothing else, as a component's own version must be."""
    return len(text) <= MAX_LENGTH and _EXACT.fullmatch(text) is not None


def parse_version(text: str) -> Version:
    """A version from its text; a leading `v` is allowed. Raises `recipe.version`."""
    found = _EXACT.fullmatch(text.strip().removeprefix("v")) if len(text) <= MAX_LENGTH else None
    if found is None:
        raise LinesideError("recipe.version", text=text[:MAX_LENGTH] or "(nothing)")
    major, minor, patch, pre = found.groups()
    return Version((int(major), int(minor), int(patch)), tuple(pre.split(".")) if pre else ())


def satisfies(version: str, requirement: str) -> bool:
    """Whether a version meets a requirement. Raises `recipe.version` when either cannot be read.

    A pre-release meets only a requirement that names a pre-release of the same three numbers (node-semver).
    """
    candidate = parse_version(version)
    return any(_meets(candidate, comparators) for comparators in _alternatives(requirement))


# --- requirements as comparators: a sign of >= < > <= = and a complete version -------------------------------------

_Comparator = tuple[str, Version]


@functools.lru_cache(maxsize=256)
def _alternatives(requirement: str) -> tuple[tuple[_Comparator, ...], ...]:
    if len(requirement) > MAX_LENGTH:
        raise LinesideError("recipe.version", text=requirement[:MAX_LENGTH])
    return tuple(tuple(_comparators(part, requirement)) for part in requirement.split("||"))


def _comparators(text: str, requirement: str) -> list[_Comparator]:
    hyphen = _HYPHEN.fullmatch(text)
    if hyphen is not None:
        low, high = hyphen.groups()
        return [*_spread(">=", low, requirement), *_spread("<=", high, requirement)]
    result: list[_Comparator] = []
    at = 0
    text = text.strip()
    while at < len(text):
        found = _COMPARATOR.match(text, at)
        if found is None:
            raise LinesideError("recipe.version", text=requirement)
        result += _spread(found[1] or "=", found[2], requirement)
        at = found.end() + len(text[found.end() :]) - len(text[found.end() :].lstrip())
    return result


def _spread(sign: str, text: str, requirement: str) -> list[_Comparator]:
    """One sign and a version, perhaps a partial one, as bounds."""
    found = _PARTIAL.fullmatch(text)
    if found is None:
        raise LinesideError("recipe.version", text=requirement)
    numbers = _known(found.groups()[:3])
    pre = tuple(found[4].split(".")) if found[4] and len(numbers) == 3 else ()
    low = Version((*numbers, *(0 for _ in range(3 - len(numbers)))), pre)  # type: ignore[arg-type]
    if not numbers:
        return [("<", Version((0, 0, 0), ("0",)))] if sign in ("<", ">") else []
    if sign in ("^", "~", "~>"):
        return [(">=", low), ("<", _next(numbers, _fixed(numbers, sign)))]
    if len(numbers) == 3:
        return [(sign, low)]
    after = _next(numbers, len(numbers))
    partial = {"=": [(">=", low), ("<", after)], ">": [(">=", _plain(after))], "<=": [("<", after)]}
    return partial.get(sign, [(sign, low if sign == ">=" else Version(low.core, ("0",)))])


def _known(parts: tuple[str | None, ...]) -> tuple[int, ...]:
    """The numbers before the first part that is left out or `x`."""
    known: list[int] = []
    for part in parts:
        if part is None or part in "xX*":
            break
        known.append(int(part))
    return tuple(known)


def _fixed(numbers: tuple[int, ...], sign: str) -> int:
    """How many of the numbers a `^` or `~` range holds fixed."""
    if sign != "^":
        return min(len(numbers), 2)
    return next((at + 1 for at, number in enumerate(numbers) if number), len(numbers))


def _next(numbers: tuple[int, ...], fixed: int) -> Version:
    """The first version, before its pre-releases, in which the fixed numbers are others."""
    core = [*numbers[: fixed - 1], numbers[fixed - 1] + 1, 0, 0][:3]
    return Version((core[0], core[1], core[2]), ("0",))


def _plain(version: Version) -> Version:
    return Version(version.core)


def _meets(candidate: Version, comparators: tuple[_Comparator, ...]) -> bool:
    if candidate.pre and not any(bound.pre and bound.core == candidate.core for _, bound in comparators):
        return False
    return all(_holds(candidate, sign, bound) for sign, bound in comparators)


def _holds(version: Version, sign: str, bound: Version) -> bool:
    return {
        ">": version > bound,
        ">=": version >= bound,
        "<": version < bound,
        "<=": version <= bound,
    }.get(sign, version == bound)
