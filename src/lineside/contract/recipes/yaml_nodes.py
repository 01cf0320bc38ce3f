"""YAML read into nodes that know their line.

Values are what Greengrass's own reader makes of them, where YAML 1.1 has surprises: `2020-01-25` is a text and no date,
`12:30` a text and no number of minutes, `0644` a text and no 420, `1e3` a number. `yes`, `on` and their like are true.
Aliases are followed up to a total size; merge keys (`<<`) and tags of Python's or YAML's richer types are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from lineside.contract.recipes.findings import Place
from lineside.contract.recipes.json_nodes import number_of
from lineside.contract.recipes.limits import MAX_DEPTH, MAX_EXPANDED, Unreadable
from lineside.contract.recipes.nodes import Mapping, Node, Scalar, Sequence

_NULL = ("", "~", "null", "Null", "NULL")
_TRUE = frozenset(form for word in ("true", "yes", "on") for form in (word, word.title(), word.upper()))
_FALSE = frozenset(form for word in ("false", "no", "off") for form in (word, word.title(), word.upper()))
_NUMBER = re.compile(
    r"[-+]?(?:0|[1-9][0-9_]*)(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
)
_HEX = re.compile(r"[-+]?0x[0-9a-fA-F][0-9a-fA-F_]{,30}")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map"))
_TEXT_TAG = "tag:yaml.org,2002:str"

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Only turns text into events here; libyaml's does so ten times as fast."""


def read_yaml(text: str) -> Node:
    """The one document in `text`. Raises `Unreadable`."""
    try:
        return _Builder().document(_events(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(_place(mark), _why(error, text)) from error
    except yaml.YAMLError as error:
        raise Unreadable(Place(), str(error).splitlines()[0]) from error


def _events(text: str) -> Iterator[Any]:
    events: Iterator[Any] = yaml.parse(text, Loader=Loader)
    return events


def _place(mark: Any) -> Place:
    return Place() if mark is None else Place(mark.line + 1, mark.column + 1)


def _why(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    if mark is not None:
        line = text.split("\n")[mark.line : mark.line + 1]
        if line and line[0][mark.column : mark.column + 1] == "\t":
            return "a tab stands where YAML wants spaces"
    return error.problem or error.context or "it is no YAML"


class _Builder:
    """Builds the tree from events, without recursion, counting what aliases would expand to."""

    def __init__(self) -> None:
        self._open: list[Mapping | Sequence] = []
        self._anchors: dict[str, Node] = {}
        self._names: list[str | None] = []  # of the open collections
        self._key: list[Scalar | None] = []
        self._weights: dict[int, int] = {}  # by id: nodes live as long as the builder
        self._root: Node | None = None

    def document(self, events: Iterator[Any]) -> Node:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and self._root is not None:
                raise Unreadable(_place(event.start_mark), "it holds more than one document")
            self._take(event)
        if self._root is None:
            raise Unreadable(Place(), "it is empty")
        return self._root

    def _take(self, event: Any) -> None:
        place = _place(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            self._finish(_scalar(event, place), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise Unreadable(place, f"the alias *{event.anchor} names nothing that is complete")
            self._add(self._anchors[event.anchor])
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._enter(event, place)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._key.pop()
            self._finish(self._open.pop(), self._names.pop())

    def _enter(self, event: Any, place: Place) -> None:
        if event.tag is not None and event.tag not in _TAGS:
            raise Unreadable(place, f"the tag {event.tag} is not for recipes")
        if len(self._open) >= MAX_DEPTH:
            raise Unreadable(place, f"it is nested deeper than {MAX_DEPTH}")
        if self._open and isinstance(self._open[-1], Mapping) and self._key[-1] is None:
            raise Unreadable(place, "a key is no text")
        self._open.append(Mapping(place, []) if isinstance(event, yaml.MappingStartEvent) else Sequence(place, []))
        self._names.append(event.anchor)
        self._key.append(None)

    def _finish(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        self._add(node)

    def _add(self, node: Node) -> None:
        """Put a finished node where it belongs."""
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        self._weigh(parent, node)
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif self._key[-1] is None:
            self._key[-1] = _as_key(node)
        else:
            parent.entries.append((self._key[-1], node))
            self._key[-1] = None

    def _weigh(self, parent: Node, node: Node) -> None:
        own = 1 + len(node.text) if isinstance(node, Scalar) else self._weights.get(id(node), 1)
        total = self._weights.get(id(parent), 1) + own
        if total > MAX_EXPANDED:
            raise Unreadable(node.place, "its aliases expand to too much")
        self._weights[id(parent)] = total


def _as_key(node: Node) -> Scalar:
    if not isinstance(node, Scalar):
        raise Unreadable(node.place, "a key is no text")
    if node.text == "<<" and node.plain:
        raise Unreadable(node.place, "merge keys (<<) are not part of the format")
    return node


def _scalar(event: Any, place: Place) -> Scalar:
    text: str = event.value
    if event.tag is not None and event.tag not in _TAGS and event.tag != "!":
        raise Unreadable(place, f"the tag {event.tag} is not for recipes")
    unquoted = event.style in (None, "") and event.tag is None
    if not unquoted and event.tag in (None, "!", _TEXT_TAG):
        return Scalar(place, text, text, block=event.style == "|")
    value = _value(place, text)
    return Scalar(place, value, "" if value is None else text, plain=unquoted)


def _value(place: Place, text: str) -> str | int | float | bool | None:
    """What a text without quotes means."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _NUMBER.fullmatch(text):
        return number_of(place, text.replace("_", ""))
    if _HEX.fullmatch(text):
        return number_of(place, str(int(text.replace("_", ""), 16)))
    if _INFINITE.fullmatch(text):
        raise Unreadable(place, f"{text} is no number that JSON has")
    return text
