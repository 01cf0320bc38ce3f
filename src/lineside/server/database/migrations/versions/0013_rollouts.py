"""Plans of rollouts, and what their waves remember."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rollouts", sa.Column("plan", sa.Text(), server_default="{}", nullable=False))
    op.add_column("rollouts", sa.Column("counts", sa.Text(), server_default="[]", nullable=False))
    op.add_column("rollouts", sa.Column("note", sa.String(), server_default="", nullable=False))
    op.add_column("rollouts", sa.Column("by_hand", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("rollout_devices", sa.Column("told_at", sa.String(length=32), nullable=True))
    op.add_column("rollout_devices", sa.Column("place", sa.Integer(), server_default="0", nullable=False))
    op.add_column("rollout_devices", sa.Column("again", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("rollout_devices", sa.Column("restarts", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_rollout_devices_told", "rollout_devices", ["rollout", "told_at"])
    op.create_index("ix_devices_state", "devices", ["state"])
    op.execute(
        "UPDATE rollout_devices SET told_at = (SELECT created_at FROM rollouts WHERE number = rollout) "
        "WHERE progress <> 'waiting'"
    )
    op.execute(
        "UPDATE rollout_devices SET restarts = (SELECT restarts FROM devices WHERE name = device) "
        "WHERE progress <> 'waiting'"
    )
    _count()


def _count() -> None:
    """How the devices of each wave stood; open rollouts count anew by themselves."""
    connection = op.get_bind()
    query = (
        "SELECT rollout, wave, progress, count(*) FROM rollout_devices GROUP BY rollout, wave, progress ORDER BY 1, 2"
    )
    rollouts: dict[int, dict[int, dict[str, int]]] = {}
    for rollout, wave, progress, devices in connection.execute(sa.text(query)).all():
        rollouts.setdefault(rollout, {}).setdefault(wave, {})[progress] = devices
    for rollout, waves in rollouts.items():
        counts = [{"wave": wave, "name": "", "devices": sum(by.values()), "by": by} for wave, by in waves.items()]
        values = {"counts": json.dumps(counts), "rollout": rollout}
        connection.execute(sa.text("UPDATE rollouts SET counts = :counts WHERE number = :rollout"), values)


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
