"""What pictures are, once decoded: size, form, patch, thumbnail."""

from __future__ import annotations

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
