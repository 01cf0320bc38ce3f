"""Reads a loop.yaml: what is wrong with it is said with the line it stands in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import yaml

from lineside.contract.errors import LinesideError
from lineside.contract.loop import LoopDocument, check_loop
from lineside.contract.plain_yaml import load_plain

_WHERE = re.compile(r"^(?P<why>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]*)`")
_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")

Part = str | int
Send = Callable[[str], str]
Collect = Callable[[Sequence[str]], dict[str, str]]


def read_loop(text: str, file: str, send: Send = lambda path: path, collect: Collect | None = None) -> LoopDocument:
    """The loop that `text` says; `send` makes a digest of the file of starting weights, `collect` those of code files.

    Raises `loop.unreadable` with the line, and what `send` and `collect` do.
    """
    try:
        plain = load_plain(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _unreadable(file, 1 if mark is None else mark.line + 1, error.problem or "it is not YAML") from error
    except (ValueError, yaml.YAMLError) as error:
        raise _unreadable(file, 1, str(error)) from error
    try:
        document = msgspec.convert(plain, LoopDocument)
    except msgspec.ValidationError as error:
        why, path = _place(str(error))
        raise _unreadable(file, line_of(text, path), why) from error
    if document.init is not None:
        document = msgspec.structs.replace(document, init=send(document.init))
    if collect is not None:
        steps = tuple(
            step if isinstance(step.files, dict) else msgspec.structs.replace(step, files=collect(step.files))
            for step in document.steps
        )
        document = msgspec.structs.replace(document, steps=steps)
    try:
        check_loop(document)
    except LinesideError as error:
        raise _unreadable(file, _line_of_step(text, document, error), error.message.rstrip(".")) from error
    return document


def line_of(text: str, path: Sequence[Part]) -> int:
    """The line that a value stands in, from 1; of what is around it when it is not there."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for part in path:
        found = _child(node, part)
        if found is None:
            break
        line, node = found
    return line


def _child(node: Any, part: Part) -> tuple[int, Any] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None


def _place(said: str) -> tuple[str, list[Part]]:
    found = _WHERE.match(said)
    assert found is not None
    path: list[Part] = [
        int(index) if index else name for name, index in _PART.findall(found["path"] or "") if name or index
    ]
    unknown = _UNKNOWN.search(found["why"])
    why = f"there is no field `{unknown['field']}`" if unknown else found["why"][:1].lower() + found["why"][1:]
    return why, [*path, unknown["field"]] if unknown else path


def _line_of_step(text: str, document: LoopDocument, error: LinesideError) -> int:
    names = [step.name for step in document.steps]
    named = error.params.get("step")
    return line_of(text, ["steps", names.index(named)]) if named in names else 1


def _unreadable(file: str, line: int, why: str) -> LinesideError:
    return LinesideError("loop.unreadable", file=file, line=line, why=why.replace("\n", " "))
