"""Dataset series: the side of each group and picture, and which versions a name has; images found by group, picture,
class, source of a label and finding; checks; captures found by picture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_AT_ONCE = 500


def upgrade() -> None:
    op.create_table(
        "dataset_sides",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("name", "key", name=op.f("pk_dataset_sides")),
    )
    op.create_table(
        "dataset_series",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("dataset", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_dataset_series_dataset")),
        sa.PrimaryKeyConstraint("name", "dataset", name=op.f("pk_dataset_series")),
    )
    op.add_column("dataset_images", sa.Column("digest", sa.String(length=71), nullable=True))
    op.add_column("dataset_images", sa.Column("grouping", sa.String(length=80), nullable=True))
    op.create_index("ix_dataset_images_digest", "dataset_images", ["digest"])
    op.create_index("ix_dataset_images_grouping", "dataset_images", ["dataset", "grouping", "position"])
    op.add_column("captures", sa.Column("digest", sa.String(length=71), nullable=True))
    op.create_index("ix_captures_digest", "captures", ["digest"])
    _labels()
    _checks()
    _fill()
    _fill_captures()


def _labels() -> None:
    op.create_table(
        "dataset_labels",
        sa.Column("dataset", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_dataset_labels_dataset")),
        sa.PrimaryKeyConstraint("dataset", "position", "label", "source", name=op.f("pk_dataset_labels")),
    )
    op.create_index("ix_dataset_labels_label", "dataset_labels", ["dataset", "label", "position"])
    op.create_index("ix_dataset_labels_source", "dataset_labels", ["dataset", "source", "position"])


def _checks() -> None:
    op.create_table(
        "dataset_checks",
        sa.Column("dataset", sa.String(length=32), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_dataset_checks_dataset")),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_dataset_checks")),
    )
    op.create_table(
        "dataset_findings",
        sa.Column("dataset", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_dataset_findings_dataset")),
        sa.PrimaryKeyConstraint("dataset", "code", "position", name=op.f("pk_dataset_findings")),
    )


def _fill() -> None:
    """What versions of before say, oldest first: the first side of a group or picture is its side."""
    connection = op.get_bind()
    versions = connection.execute(sa.text("SELECT id, version FROM datasets ORDER BY created_at, id")).all()
    known: dict[str, dict[str, str]] = {}
    for number, (dataset, text) in enumerate(versions, 1):
        version = json.loads(text)
        name, classes = version["name"], {label: at for at, label in enumerate(version["classes"])}
        series = {"name": name, "dataset": dataset, "number": number}
        connection.execute(sa.text("INSERT INTO dataset_series VALUES (:name, :dataset, :number)"), series)
        sides: dict[str, set[str]] = {}
        for rows in _images(connection, dataset):
            _fill_images(connection, dataset, rows, classes)
            for _, image in rows:
                sides.setdefault(image["digest"], set()).add(image["split"])
                if version["split_by"] != "near-duplicates" and image["group"] is not None:
                    sides.setdefault(_group_key(image["group"]), set()).add(image["split"])
        said = known.setdefault(name, {})
        for key, found in sides.items():
            if len(found) == 1:
                said.setdefault(key, found.pop())
    every = [{"name": name, "key": key, "side": side} for name, said in known.items() for key, side in said.items()]
    if every:
        connection.execute(sa.text("INSERT INTO dataset_sides VALUES (:name, :key, :side)"), every)


def _images(connection: sa.Connection, dataset: str) -> Iterator[list[tuple[int, Any]]]:
    query = sa.text(
        "SELECT position, record FROM dataset_images WHERE dataset = :dataset AND position > :after"
        f" ORDER BY position LIMIT {_AT_ONCE}"
    )
    after = -1
    while rows := connection.execute(query, {"dataset": dataset, "after": after}).all():
        yield [(position, json.loads(record)) for position, record in rows]
        after = rows[-1][0]


def _fill_images(connection: sa.Connection, dataset: str, rows: list[tuple[int, Any]], classes: dict[str, int]) -> None:
    change = sa.text(
        "UPDATE dataset_images SET digest = :digest, grouping = :grouping"
        " WHERE dataset = :dataset AND position = :position"
    )
    said: list[dict[str, Any]] = [
        {
            "dataset": dataset,
            "position": position,
            "digest": image["digest"],
            "grouping": None if image["group"] is None else _group_key(image["group"]),
        }
        for position, image in rows
    ]
    connection.execute(change, said)
    add = sa.text("INSERT INTO dataset_labels VALUES (:dataset, :position, :label, 'unknown')")
    shown = {(position, classes[box["label"]]) for position, image in rows for box in image["boxes"]}
    labels = [{"dataset": dataset, "position": at, "label": label} for at, label in sorted(shown)]
    if labels:
        connection.execute(add, labels)


def _fill_captures() -> None:
    connection = op.get_bind()
    query = sa.text(f"SELECT id, record FROM captures WHERE id > :after ORDER BY id LIMIT {_AT_ONCE}")
    change = sa.text("UPDATE captures SET digest = :digest WHERE id = :id")
    after = ""
    while rows := connection.execute(query, {"after": after}).all():
        connection.execute(change, [{"id": name, "digest": json.loads(record)["digest"]} for name, record in rows])
        after = rows[-1][0]


def _group_key(group: str) -> str:
    return "group:" + hashlib.sha256(group.encode("utf-8", "surrogatepass")).hexdigest()


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
