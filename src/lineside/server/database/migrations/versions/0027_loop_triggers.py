"""What a loop's newest run began for, and the version of the dataset that it is about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("loops", sa.Column("trained_dataset", sa.String(length=64), nullable=True))
    op.add_column("loops", sa.Column("started_by", sa.String(length=300), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
