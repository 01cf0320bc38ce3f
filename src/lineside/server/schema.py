"""Brings a database to the present schema when the control plane starts."""

from __future__ import annotations

from lineside.server.database import Base, Database


def bring_up(database: Database) -> None:
    """Make the tables that are missing."""
    Base.metadata.create_all(database.engine)
