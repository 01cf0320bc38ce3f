"""Collections: since when a device is asked, and why others are asked for its part."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("collection_devices") as table:
        table.add_column(sa.Column("asked_at", sa.String(32), nullable=True))
        table.add_column(sa.Column("lost", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
