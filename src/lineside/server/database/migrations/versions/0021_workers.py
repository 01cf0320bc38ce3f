"""Workers with leases, queues, logs of runs, loops and their schedules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _runs()
    _workers()
    _loops()


def _runs() -> None:
    op.add_column("runs", sa.Column("queue", sa.String(length=64), server_default="default", nullable=False))
    op.add_column("runs", sa.Column("attempt", sa.Integer(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("lease_until", sa.String(length=32), nullable=True))
    op.add_column("runs", sa.Column("loop", sa.String(length=64), nullable=True))
    op.create_index("ix_runs_loop_number", "runs", ["loop", "number"])
    op.create_table(
        "run_logs",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_run_logs_run")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_run_logs")),
        sa.UniqueConstraint("run", "step", "attempt", "part", name=op.f("uq_run_logs_run_step_attempt_part")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_logs_run_number", "run_logs", ["run", "number"])
    op.create_table(
        "run_kept",
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_run_kept_run")),
        sa.PrimaryKeyConstraint("run", "name", name=op.f("pk_run_kept")),
    )


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )


def _loops() -> None:
    op.create_table(
        "loops",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("next_at", sa.String(length=32), nullable=True),
        sa.Column("seen_dataset", sa.String(length=64), nullable=True),
        sa.Column("due", sa.String(length=256), nullable=True),
        sa.Column("run", sa.String(length=32), nullable=True),
        sa.Column("started_at", sa.String(length=32), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_loops")),
    )
    op.create_table(
        "loop_messages",
        sa.Column("loop", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=256), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("loop", "id", name=op.f("pk_loop_messages")),
    )


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
