"""MQTT topics and filters: what is well-formed, what matches, and a tree that finds the filters of a topic quickly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from lineside.contract import topics

MAX_TOPIC = 1024
"""Bytes of the longest topic or filter the bus takes."""

T = TypeVar("T")


def is_topic(text: str) -> bool:
    """Whether one can publish there; a `*` is refused as Greengrass does."""
    return topics.is_topic(text) and "*" not in text and len(text.encode()) <= MAX_TOPIC


def is_filter(text: str) -> bool:
    """Whether one can subscribe to it: `+` stands for one whole level, `#` for all the rest."""
    return topics.is_filter(text) and len(text.encode()) <= MAX_TOPIC


def has_wildcard(pattern: str) -> bool:
    """Whether a filter matches more than one topic."""
    return any(level in ("+", "#") for level in pattern.split("/"))


def matches(pattern: str, topic: str) -> bool:
    """Whether a filter matches a topic; `a/#` matches `a` too."""
    wanted, levels = pattern.split("/"), topic.split("/")
    for index, want in enumerate(wanted):
        if want == "#":
            return True
        if index >= len(levels) or want not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)


def covers(pattern: str, narrower: str) -> bool:
    """Whether everything that `narrower` matches is matched by `pattern`."""
    wanted, levels = pattern.split("/"), narrower.split("/")
    for index, want in enumerate(wanted):
        if want == "#":
            return True
        if index >= len(levels) or levels[index] == "#" or want not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)


class _Node(Generic[T]):
    __slots__ = ("below", "here")

    def __init__(self) -> None:
        self.below: dict[str, _Node[T]] = {}
        self.here: dict[T, None] = {}


class Filters(Generic[T]):
    """Who subscribed to what. An item is found once for each of its filters that match."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, pattern: str, item: T) -> None:
        """Put an item under a filter."""
        node = self._root
        for level in pattern.split("/"):
            node = node.below.setdefault(level, _Node())
        node.here[item] = None

    def remove(self, pattern: str, item: T) -> None:
        """Take it away again, if it is there; branches that are empty then go too."""
        path = [self._root]
        levels = pattern.split("/")
        for level in levels:
            if level not in path[-1].below:
                return
            path.append(path[-1].below[level])
        path[-1].here.pop(item, None)
        for parent, level in zip(reversed(path[:-1]), reversed(levels), strict=True):
            child = parent.below[level]
            if child.here or child.below:
                break
            del parent.below[level]

    def matching(self, topic: str) -> list[T]:
        """Every item whose filter matches, in no promised order."""
        found: list[T] = []
        nodes = [self._root]
        for level in topic.split("/"):
            found += [item for node in nodes if "#" in node.below for item in node.below["#"].here]
            nodes = [node.below[key] for node in nodes for key in (level, "+") if key in node.below]
        for node in nodes:
            found += node.here
            if "#" in node.below:
                found += node.below["#"].here
        return found

    def __iter__(self) -> Iterator[T]:
        nodes = [self._root]
        while nodes:
            node = nodes.pop()
            yield from node.here
            nodes += node.below.values()
