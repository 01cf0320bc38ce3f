"""Drift: what is watched, windows that devices tell of, hours of them put together, alarms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _streams()
    _windows()
    _alarms()


def _of_whom() -> list[sa.Column[object]]:
    return [
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("component", sa.String(length=128), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
    ]


def _streams() -> None:
    op.create_table(
        "drift_streams",
        sa.Column("id", sa.String(length=32), nullable=False),
        *_of_whom(),
        sa.Column("baseline", sa.String(length=8), nullable=False),
        sa.Column("usual", sa.Text(), nullable=True),
        sa.Column("accepted_by", sa.String(length=256), nullable=False),
        sa.Column("first_at", sa.String(length=32), nullable=False),
        sa.Column("last_at", sa.String(length=32), nullable=False),
        sa.Column("windows", sa.Integer(), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("alarm", sa.Integer(), nullable=True),
        sa.Column("muted_until", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drift_streams")),
    )
    op.create_index("ix_drift_streams_scope", "drift_streams", ["scope", "name"])
    op.create_index("ix_drift_streams_model", "drift_streams", ["model"])


def _windows() -> None:
    op.create_table(
        "drift_windows",
        sa.Column("stream", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "key", name=op.f("pk_drift_windows")),
    )
    op.create_index("ix_drift_windows_at", "drift_windows", ["stream", "at"])
    op.create_table(
        "drift_hours",
        sa.Column("stream", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("hour", sa.String(length=13), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("judged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "digest", "hour", name=op.f("pk_drift_hours")),
    )
    op.create_index("ix_drift_hours_judged", "drift_hours", ["judged", "hour"])
    op.create_index("ix_drift_hours_hour", "drift_hours", ["hour"])


def _alarms() -> None:
    op.create_table(
        "drift_alarms",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stream", sa.String(length=32), nullable=False),
        *_of_whom(),
        sa.Column("quantities", sa.Text(), nullable=False),
        sa.Column("causes", sa.Text(), nullable=False),
        sa.Column("shown_since", sa.String(length=32), nullable=False),
        sa.Column("raised_at", sa.String(length=32), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("acknowledged_at", sa.String(length=32), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=256), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("muted_until", sa.String(length=32), nullable=True),
        sa.Column("cleared_at", sa.String(length=32), nullable=True),
        sa.Column("cleared_why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_drift_alarms")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_drift_alarms_cleared_at", "drift_alarms", ["cleared_at"])
    op.create_index("ix_drift_alarms_name", "drift_alarms", ["name", "number"])


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
