"""JSON read into nodes that know their line. Strict: no comments, no trailing commas, no NaN."""

from __future__ import annotations

import bisect
import json
import re

from lineside.contract.recipes.findings import Place
from lineside.contract.recipes.limits import MAX_DEPTH, Unreadable
from lineside.contract.recipes.nodes import Mapping, Node, Scalar, Sequence

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_WORD = re.compile("|".join(_WORDS))


def read_json(text: str) -> Node:
    """The one value in `text`. Raises `Unreadable`."""
    return _Parser(text).document()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def document(self) -> Node:
        node = self._value(0)
        self._skip()
        if self._at < len(self._text):
            raise self._unreadable("there is more after its end")
        return node

    def _place(self) -> Place:
        line = bisect.bisect_right(self._lines, self._at)
        return Place(line, self._at - self._lines[line - 1] + 1)

    def _unreadable(self, why: str) -> Unreadable:
        return Unreadable(self._place(), why)

    def _skip(self) -> str:
        """Past white space; the character that follows, empty at the end."""
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def _value(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._unreadable(f"it is nested deeper than {MAX_DEPTH}")
        first = self._skip()
        if first == "{":
            return self._object(depth)
        if first == "[":
            return self._list(depth)
        return self._string() if first == '"' else self._scalar()

    def _object(self, depth: int) -> Mapping:
        node = Mapping(self._place(), [])
        self._at += 1
        while self._more("}", first=not node.entries):
            if self._skip() != '"':
                raise self._unreadable("a key in double quotes is expected")
            key = self._string()
            self._expect(":")
            node.entries.append((key, self._value(depth + 1)))
        return node

    def _list(self, depth: int) -> Sequence:
        node = Sequence(self._place(), [])
        self._at += 1
        while self._more("]", first=not node.items):
            node.items.append(self._value(depth + 1))
        return node

    def _more(self, end: str, *, first: bool) -> bool:
        """Whether another element follows; past the comma before it, or the bracket at the end."""
        if self._skip() == end:
            self._at += 1
            return False
        if not first:
            self._expect(",")
        return True

    def _expect(self, sign: str) -> None:
        if self._skip() != sign:
            raise self._unreadable(f"{sign!r} is expected")
        self._at += 1

    def _string(self) -> Scalar:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._unreadable("the text that begins here does not end, or holds an escape that JSON does not know")
        place, self._at = self._place(), found.end()
        value: str = json.loads(found.group())
        return Scalar(place, value, value)

    def _scalar(self) -> Scalar:
        place = self._place()
        word = _WORD.match(self._text, self._at)
        number = _NUMBER.match(self._text, self._at)
        found = word or number
        if found is None:
            raise self._unreadable("a value is expected")
        self._at = found.end()
        text = found.group()
        if word is not None:
            return Scalar(place, _WORDS[text], "" if text == "null" else text)
        return Scalar(place, number_of(place, text), text)


def number_of(place: Place, text: str) -> int | float:
    """A number as JSON writes it. Raises `Unreadable` when it is beyond 64 bits."""
    if re.fullmatch(r"[-+]?[0-9]+", text):
        if len(text) <= 20 and -(1 << 63) <= int(text) < 1 << 64:
            return int(text)
        raise Unreadable(place, f"the number {text[:24]}… is beyond 64 bits")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Unreadable(place, f"the number {text[:24]} is beyond 64 bits")
    return value
