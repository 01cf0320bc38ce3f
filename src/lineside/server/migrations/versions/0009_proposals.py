"""Proposals that wait for signatures, what is known about keys, who started a run, what the twins saw of a model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("by", sa.String(length=256), nullable=False, server_default=""))
    op.add_column("models", sa.Column("twin_report", sa.String(length=71), nullable=True))


def downgrade() -> None:
    op.drop_column("models", "twin_report")
    op.drop_column("runs", "by")
