"""Collections of captures; captures know their model and collection, and are counted."""

from __future__ import annotations

import json
from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0027"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_captures_device": ["device", "strategy", "uploaded_at", "id"],
    "ix_captures_device_uploaded_at": ["device", "uploaded_at", "id"],
    "ix_captures_strategy": ["strategy", "uploaded_at", "id"],
    "ix_captures_model": ["model", "strategy", "uploaded_at", "id"],
    "ix_captures_model_uploaded_at": ["model", "uploaded_at", "id"],
    "ix_captures_request": ["request", "uploaded_at", "id"],
}
_AT_ONCE = 1000


def upgrade() -> None:
    op.add_column("devices", sa.Column("collecting", sa.Integer(), server_default="0", nullable=False))
    op.add_column("captures", sa.Column("model", sa.String(length=160), nullable=True))
    op.add_column("captures", sa.Column("request", sa.String(length=64), nullable=True))
    op.create_table(
        "capture_counts",
        sa.Column("strategy", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=160), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("strategy", "model", name=op.f("pk_capture_counts")),
    )
    _look_at_captures()
    for name, columns in _INDEXES.items():
        op.create_index(name, "captures", columns)
    _collections()


def _look_at_captures() -> None:
    """What the records of captures say goes into columns; there may be many, so a thousand at a time."""
    names = ("id", "record", "strategy", "uploaded_at", "model")
    captures = sa.table("captures", *(sa.column(name) for name in names))
    found = sa.select(captures.c.id, captures.c.record, captures.c.strategy, captures.c.uploaded_at)
    counts: Counter[tuple[str, str]] = Counter()
    bind, last = op.get_bind(), ""
    while rows := bind.execute(found.where(captures.c.id > last).order_by(captures.c.id).limit(_AT_ONCE)).all():
        for id_, record, strategy, uploaded_at in rows:
            result = json.loads(record).get("result")
            model = f"{result['model']}:{result['version']}"[:160] if result else None
            if model is not None:
                bind.execute(sa.update(captures).where(captures.c.id == id_).values(model=model))
            counts[strategy, model or ""] += uploaded_at is not None
        last = rows[-1].id
    table = sa.table("capture_counts", sa.column("strategy"), sa.column("model"), sa.column("count"))
    for (strategy, model), count in counts.items():
        bind.execute(sa.insert(table).values(strategy=strategy, model=model, count=count))


def _collections() -> None:
    op.create_table(
        "collections",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("until", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.Column("ended_at", sa.String(length=32), nullable=True),
        sa.Column("schedule", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
    )
    op.create_index("ix_collections_state", "collections", ["state", "until"])
    op.create_index("ix_collections_created_at", "collections", ["created_at"])
    op.create_table(
        "collection_devices",
        sa.Column("collection", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("uploaded", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("told_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("collection", "device", name=op.f("pk_collection_devices")),
    )
    op.create_index("ix_collection_devices_device", "collection_devices", ["device"])
    op.create_table(
        "collection_schedules",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.Column("next_at", sa.String(length=32), nullable=False),
        sa.Column("last", sa.String(length=64), nullable=True),
        sa.Column("problem", sa.String(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_collection_schedules")),
    )


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
