"""What deployments ask for, how they are to go, and devices whose deployments do not go together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deployments", sa.Column("asked", sa.Text(), nullable=True))
    op.add_column("deployments", sa.Column("plan", sa.Text(), nullable=True))
    op.create_table(
        "assignment_conflicts",
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["device"], ["devices.name"], name=op.f("fk_assignment_conflicts_device"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_assignment_conflicts")),
    )


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
