"""Alembic's environment: runs migrations on the connection `schema` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from lineside.server.database import Base, Json


def _render(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """A JSON column is text to a migration: what is inside belongs to the code, not to the schema."""
    return "sa.Text()" if kind == "type" and isinstance(item, Json) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
    compare_type=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
