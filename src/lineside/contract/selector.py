"""Selectors: which devices, said by their labels and facts, in the form that Kubernetes made usual.

site=berlin, line in (3, 4), !spare, memory_mb>=4000, arch!=x86_64

Commas mean *and*. `=` (or `==`), `!=`, `in`, `notin`, a key alone (it has one) and `!key` (it has none) compare texts;
`<`, `<=`, `>`, `>=` compare numbers, or versions where the fact is one. A device without the key is *not* equal to
anything, and neither over nor under anything. Values with other characters than letters, digits and `_ . / : + -` stand
in double quotes. An empty selector selects every device.
"""

from __future__ import annotations

import enum
import operator
import re
from collections.abc import Callable, Mapping

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.facts import VERSIONS

LONGEST, MOST_REQUIREMENTS, MOST_VALUES = 4096, 64, 200
"""Letters of a selector, its requirements, and the values of one of them."""

KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?")
"""A key of a label: at most 63 letters, digits and `_ . / -`, a letter or a digit at both ends."""

_ARCHITECTURES = {"x86_64": "amd64", "arm64": "aarch64"}  # what people write for what recipes, and we, call so
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,9})?")
_VERSION = re.compile(r"(\d{1,5})(?:\.(\d{1,5}))?(?:\.(\d{1,5}))?(?!\d)")
_BAD_KEY = "a key has at most 63 letters, digits and _ . / -, a letter or a digit at both ends"
_BARE = re.compile(r"[A-Za-z0-9_./:+-]+")


class Operator(enum.Enum):
    """How a requirement compares."""

    EQUALS = "="
    DIFFERS = "!="
    IN = "in"
    NOT_IN = "notin"
    HAS = "has"
    HAS_NOT = "!"
    UNDER = "<"
    AT_MOST = "<="
    OVER = ">"
    AT_LEAST = ">="


COMPARISONS: dict[Operator, Callable[[float, float], bool]] = {
    Operator.UNDER: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.OVER: operator.gt,
    Operator.AT_LEAST: operator.ge,
}
"""Those that compare numbers."""


class Requirement(msgspec.Struct, frozen=True):
    """One of the things that must hold."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def holds(self, attributes: Mapping[str, str]) -> bool:
        """Whether it does, for a device with these labels and facts."""
        value = attributes.get(self.key)
        match self.operator:
            case Operator.EQUALS | Operator.IN:
                return value in self.values
            case Operator.DIFFERS | Operator.NOT_IN:
                return value not in self.values
            case Operator.HAS:
                return value is not None
            case Operator.HAS_NOT:
                return value is None
            case _:
                number = None if value is None else number_of(self.key, value)
                return number is not None and COMPARISONS[self.operator](number, self.number)

    @property
    def number(self) -> float:
        """What a comparison compares with."""
        return number_of(self.key, self.values[0]) or 0.0

    def __str__(self) -> str:
        match self.operator:
            case Operator.HAS:
                return self.key
            case Operator.HAS_NOT:
                return f"!{self.key}"
            case Operator.IN | Operator.NOT_IN:
                return f"{self.key} {self.operator.value} ({', '.join(map(_quoted, self.values))})"
            case _:
                return f"{self.key}{self.operator.value}{_quoted(self.values[0])}"


class Selector(msgspec.Struct, frozen=True):
    """What must hold, all of it."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether a device with these labels and facts is selected."""
        return all(requirement.holds(attributes) for requirement in self.requirements)

    def __str__(self) -> str:
        """The selector in the one form in which it is kept; `parse` reads it to the same."""
        return ", ".join(map(str, self.requirements))


def parse(text: str) -> Selector:
    """Read a selector. Raises `selector.invalid`, which says at which character, counted from 1."""
    if len(text) > LONGEST:
        raise _invalid(text, LONGEST, f"a selector has at most {LONGEST} characters")
    return _Reader(text).selector()


def number_of(key: str, text: str) -> float | None:
    """A value as comparisons see it: a number, or under a key of a version its first three parts; else None."""
    if key in VERSIONS:
        found = _VERSION.match(text)
        if found is None:
            return None
        major, minor, patch = (int(part or 0) for part in found.groups())
        return float(major * 10**10 + minor * 10**5 + patch)
    return float(text) if _NUMBER.fullmatch(text) else None


class _Token(msgspec.Struct, frozen=True):
    kind: str  # "word", "text" (quoted), a sign, or "" at the end
    text: str
    at: int


_TOKEN = re.compile(r'\s*(?:(?P<sign>==|!=|>=|<=|[=<>!,()])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z0-9_./:+-]+))')


class _Reader:
    """Reads one requirement after the other; `at` counts from 0 here."""

    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._next = text, _tokens(text), 0

    def selector(self) -> Selector:
        found: list[Requirement] = []
        if self._look().kind == "":
            return Selector()
        while True:
            found.append(self._requirement())
            if len(found) > MOST_REQUIREMENTS:
                raise self._wrong(self._look(), f"a selector has at most {MOST_REQUIREMENTS} requirements")
            if self._look().kind == "":
                return Selector(tuple(found))
            self._take(",", "a comma between two requirements, or the end, belongs here")

    def _requirement(self) -> Requirement:
        if self._look().kind == "!":
            self._next += 1
            return Requirement(self._key(), Operator.HAS_NOT)
        key, sign = self._key(), self._look()
        if sign.kind in ("", ","):
            return Requirement(key, Operator.HAS)
        if sign.kind == "word" and sign.text in ("in", "notin"):
            self._next += 1
            return Requirement(key, Operator(sign.text), self._values(key))
        kind = "=" if sign.kind == "==" else sign.kind
        if kind not in ("=", "!=", "<", "<=", ">", ">="):
            raise self._wrong(sign, "one of = != in notin < <= > >= belongs after a key")
        self._next += 1
        found, value = Operator(kind), self._look()
        requirement = Requirement(key, found, (self._value(key),))
        if found in COMPARISONS and number_of(key, requirement.values[0]) is None:
            raise self._wrong(value, f"{kind} compares {'versions' if key in VERSIONS else 'numbers'}")
        return requirement

    def _values(self, key: str) -> tuple[str, ...]:
        self._take("(", "values belong in parentheses, as in line in (3, 4)")
        values = [self._value(key)]
        while self._look().kind == ",":
            self._next += 1
            values.append(self._value(key))
            if len(values) > MOST_VALUES:
                raise self._wrong(self._look(), f"at most {MOST_VALUES} values")
        self._take(")", "a comma or ) belongs after a value")
        return tuple(dict.fromkeys(values))

    def _key(self) -> str:
        token = self._take("word", "a key belongs here")
        if KEY.fullmatch(token.text) is None:
            raise self._wrong(token, _BAD_KEY)
        return {"architecture": "arch"}.get(token.text, token.text)

    def _value(self, key: str) -> str:
        token = self._look()
        if token.kind not in ("word", "text"):
            raise self._wrong(token, "a value belongs here; put it in double quotes if it has other characters")
        self._next += 1
        if not token.text.isprintable():
            raise self._wrong(token, "a value has printable characters only")
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        return _ARCHITECTURES.get(token.text, token.text) if key == "arch" else token.text

    def _look(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, kind: str, why: str) -> _Token:
        token = self._look()
        if token.kind != kind:
            raise self._wrong(token, why)
        self._next += 1
        return token

    def _wrong(self, token: _Token, why: str) -> LinesideError:
        return _invalid(self._text, token.at, why)


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while text[at:].strip():
        token = _TOKEN.match(text, at)
        if token is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            why = "the quotation mark is not closed" if text[at] == '"' else f"{text[at]!r} has no place in a selector"
            raise _invalid(text, at, why)
        kind = token.lastgroup or ""
        said = token.group(kind)
        found.append(_Token(said if kind == "sign" else kind, said, token.start(kind)))
        at = token.end()
    return [*found, _Token("", "", len(text))]


def _invalid(text: str, at: int, why: str) -> LinesideError:
    shown = text[max(0, at - 20) : at] + "►" + text[at : at + 20]
    return LinesideError("selector.invalid", shown=shown, at=at + 1, why=why)


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
