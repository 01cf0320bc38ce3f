"""Conditions that no index is looked for: where the database's planner would begin at the wrong end."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement


def hidden(column: Any) -> ColumnElement[str]:
    """A column of text as no index knows it: its rows are found by other conditions, and then looked at."""
    said: ColumnElement[str] = column.concat("")
    return said
