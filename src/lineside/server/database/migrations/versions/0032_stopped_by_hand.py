"""Rollouts that a person stopped say so, apart from those that a deadline stopped."""

from __future__ import annotations

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE rollouts SET by_hand = true WHERE state = 'aborted' AND number IN "
        "(SELECT rollout FROM rollout_moves WHERE wanted = 'aborted' AND why LIKE 'a person stopped it%')"
    )


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
