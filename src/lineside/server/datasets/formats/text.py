"""Text files that strangers wrote, read with suspicion; every failure is `dataset.file_unreadable` with its place."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

import yaml

from lineside.contract.errors import LinesideError
from lineside.contract.plain_yaml import load_plain

_MOST_VALUES = 5_000_000


def unreadable(file: str, why: object, line: int | None = None) -> LinesideError:
    """The error that says which file, which line and why."""
    where = file if line is None else f"{file}, line {line}"
    return LinesideError("dataset.file_unreadable", file=where, why=str(why).rstrip("."))


def text(file: str, data: bytes) -> str:
    """UTF-8, with or without a byte order mark."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise unreadable(file, f"it is not UTF-8 (byte 0x{data[error.start]:02x})", line) from error


def json_value(file: str, data: bytes) -> Any:
    """Any JSON value; NaN and Infinity are not JSON. Raises `dataset.file_too_large` over five million values, which
    take a hundred times the memory that they take to write."""
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > _MOST_VALUES:
        raise LinesideError("dataset.file_too_large", file=file, limit=f"{_MOST_VALUES} values")
    written = text(file, data)
    try:
        return _whole(json.loads(written, parse_constant=_no_constant), written)
    except json.JSONDecodeError as error:
        raise unreadable(file, error.msg, error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise unreadable(file, error) from error


def python_value(written: str) -> Any:
    """A Python literal of lists, dicts, texts and numbers, as `print` writes it. Nothing is evaluated: it is turned
    into JSON word by word. Raises ValueError, RecursionError."""
    found = _WORD.sub(_as_json, written)
    return _whole(json.loads(found, parse_constant=_no_constant), found)


def _whole(value: Any, written: str) -> Any:
    """The value. Raises ValueError when an escape in it is half a character, which nothing can store."""
    if "\\u" in written:
        json.dumps(value, ensure_ascii=False).encode()
    return value


_WORD = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[A-Za-z_]+|[()]""")
_ESCAPED = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)")
_WORDS = {"None": "null", "True": "true", "False": "false", "(": "[", ")": "]"}


def _as_json(word: re.Match[str]) -> str:
    found = word.group()
    if found[0] not in "'\"":
        return _WORDS.get(found, found)
    return json.dumps(_ESCAPED.sub(_unescaped, found[1:-1]))


def _unescaped(escape: re.Match[str]) -> str:
    found = escape.group()
    return found.encode("ascii").decode("unicode_escape") if found[1] in "xuUnrtabfv" else found[1:]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def yaml_value(file: str, data: bytes) -> Any:
    """A YAML value of plain data."""
    written = text(file, data)
    try:
        return load_plain(written)
    except yaml.MarkedYAMLError as error:
        raise unreadable(file, error.problem or "it is not YAML", _line(error.problem_mark)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise unreadable(file, error) from error


def _line(mark: Any) -> int | None:
    return None if mark is None else mark.line + 1


def xml_root(file: str, data: bytes) -> ElementTree.Element:
    """The root element; a document type is refused, and with it every entity, inner and outer."""
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()

    def refuse(*_: object) -> NoReturn:
        raise unreadable(file, "document types and entities are not read", parser.CurrentLineNumber)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda tag, attributes: builder.start(tag, attributes)
    parser.EndElementHandler = lambda tag: builder.end(tag)
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise unreadable(file, expat.errors.messages[error.code], error.lineno) from error
    except (ValueError, LookupError) as error:  # an encoding nobody knows
        raise unreadable(file, error) from error
    return builder.close()
