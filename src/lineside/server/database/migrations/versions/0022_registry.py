"""Aliases and cards of models, and which dataset version each was made from, so that lists can ask for it."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _datasets()
    _aliases()
    _cards()


def _datasets() -> None:
    op.add_column("models", sa.Column("dataset", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_models_dataset"), "models", ["dataset"])
    models = sa.table("models", sa.column("number"), sa.column("registered"), sa.column("dataset"))
    bind = op.get_bind()
    for number in bind.scalars(sa.select(models.c.number)).all():
        registered = bind.scalar(sa.select(models.c.registered).where(models.c.number == number))
        dataset = json.loads(str(registered))["lineage"].get("dataset")
        if dataset and len(dataset) <= 64:
            bind.execute(sa.update(models).where(models.c.number == number).values(dataset=dataset))


def _aliases() -> None:
    op.create_table(
        "model_aliases",
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("alias", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("model", "alias", name=op.f("pk_model_aliases")),
    )
    op.create_table(
        "model_alias_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("alias", sa.String(length=63), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("before", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_alias_moves")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_model_alias_moves_model_alias", "model_alias_moves", ["model", "alias"])


def _cards() -> None:
    op.create_table(
        "model_card_edits",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("notes", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", "revision", name=op.f("pk_model_card_edits")),
    )


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
