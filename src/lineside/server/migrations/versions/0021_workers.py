"""Workers with leases, queues, logs of runs, loops and their schedules."""

from __future__ import annotations

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
