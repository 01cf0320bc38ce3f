"""Update and validation policies of deployments. None, which old rows have, is the defaults."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COLUMNS = [(table, name) for table in ("deployments", "desired") for name in ("update_policy", "validation_policy")]


def upgrade() -> None:
    for table, name in _COLUMNS:
        op.add_column(table, sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    for table, name in _COLUMNS:
        op.drop_column(table, name)
