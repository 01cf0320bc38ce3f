"""`column IN (thousands of names)`: the names travel as one parameter, so no statement has too many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class each_of(GenericFunction[str]):
    """The strings of a JSON array, as rows."""

    type = String()
    inherit_cache = True


@compiles(each_of, "sqlite")
def _sqlite(element: Any, compiler: Any, **more: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **more)}))"


@compiles(each_of, "postgresql")
def _postgresql(element: Any, compiler: Any, **more: Any) -> str:
    return f"(SELECT json_array_elements_text(CAST({compiler.process(element.clauses, **more)} AS json)))"


def among(column: Any, names: Iterable[str]) -> ColumnElement[bool]:
    """Whether a column of text is one of these names."""
    said = msgspec.json.encode(list(names)).decode()
    comparison: ColumnElement[bool] = column.bool_op("IN")(each_of(literal(said, String())))
    return comparison
