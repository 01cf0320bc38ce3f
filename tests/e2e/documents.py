"""Desired documents in a control plane's database, read and written behind its back."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from lineside.contract.ids import digest_of
from tests.eventually import PATIENCE

Components = list[dict[str, Any]]


def components_of(root: Path, device: str) -> Components:
    """What a device should run."""
    with contextlib.closing(_opened(root)) as database:
        return _components(database, device)


def want(root: Path, device: str, components: Components) -> int:
    """Let a device's next document say this; its revision."""
    text = json.dumps(components)
    with contextlib.closing(_opened(root)) as database, database:
        (content, revision) = database.execute(
            "SELECT content, revision FROM desired_documents WHERE device = ?", (device,)
        ).fetchone()
        forged = digest_of(f"{revision} {text}".encode())
        database.execute(
            "INSERT INTO desired_contents SELECT ?, ?, deployment, failure_policy, update_policy, validation_policy"
            " FROM desired_contents WHERE digest = ?",
            (forged, text, content),
        )
        database.execute(
            "UPDATE desired_documents SET content = ?, revision = revision + 1 WHERE device = ?", (forged, device)
        )
    return int(revision) + 1


def changed(components: Components, changes: dict[str, dict[str, Any]]) -> Components:
    """The components with fields of some of them, by name, replaced."""
    return [one | changes.get(one["name"], {}) for one in components]


def _components(database: sqlite3.Connection, device: str) -> Components:
    query = (
        "SELECT components FROM desired_documents JOIN desired_contents ON digest = content"
        " WHERE desired_documents.device = ?"
    )
    found: Components = json.loads(database.execute(query, (device,)).fetchone()[0])
    return found


def _opened(root: Path) -> sqlite3.Connection:
    return sqlite3.connect(root / "lineside.db", timeout=PATIENCE)
