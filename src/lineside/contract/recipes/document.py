"""A recipe's bytes read into nodes, JSON or YAML, with everything refused that could not be written out again."""

from __future__ import annotations

from collections.abc import Iterator

from lineside.contract.recipes.findings import Findings, Place
from lineside.contract.recipes.limits import MAX_BYTES, Unreadable
from lineside.contract.recipes.nodes import Mapping, Node, Scalar, Sequence


def parse(data: bytes, findings: Findings) -> Mapping | None:
    """The object in `data`, or None after an error was reported."""
    try:
        node = _parse(data)
        _check_texts(node)
    except Unreadable as error:
        findings.error(error.place, "recipe.invalid", why=error.why)
        return None
    if isinstance(node, Mapping):
        _check_keys(node, findings)
        return node
    findings.error(node.place, "recipe.invalid", why="it is not an object")
    return None


def _parse(data: bytes) -> Node:
    if len(data) > MAX_BYTES:
        raise Unreadable(Place(), f"it is larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(Place(line, 1), "it is not UTF-8") from error
    if text.lstrip()[:1] == "{":
        from lineside.contract.recipes.json_nodes import read_json

        return read_json(text)
    from lineside.contract.recipes.yaml_nodes import read_yaml

    return read_yaml(text)


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, keys too."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Mapping):
            waiting.extend(part for entry in node.entries for part in entry)
        elif isinstance(node, Sequence):
            waiting.extend(node.items)


def _check_texts(node: Node) -> None:
    for part in walk(node):
        if isinstance(part, Scalar):
            if "\0" in part.text:
                raise Unreadable(part.place, "a text holds the character NUL")
            try:
                part.text.encode()
            except UnicodeEncodeError as error:
                raise Unreadable(part.place, "a text holds half a character (a lone surrogate)") from error


def _check_keys(root: Node, findings: Findings) -> None:
    """The same key twice in one object: each parser would take another of the two."""
    for node in walk(root):
        if isinstance(node, Mapping):
            seen: set[str] = set()
            for key, _ in node.entries:
                if key.text in seen:
                    findings.error(key.place, "recipe.invalid", why=f"the key {key.text} is given twice")
                seen.add(key.text)
