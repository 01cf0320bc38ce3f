"""Figures of dataset versions, counted once; a digest of each image's labels, so that versions are compared by it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dataset_figures",
        sa.Column("dataset", sa.String(length=32), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_dataset_figures_dataset")),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_dataset_figures")),
    )
    op.add_column("dataset_images", sa.Column("labels", sa.String(length=32), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
