"""Dataset series: the side of each group and picture, and where labels came from."""

from __future__ import annotations

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
