"""Twin tests: where each stands, and its history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "twin_tests",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("twins", "before", "wanted")),
        sa.Column("rollout", sa.String(length=64), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("stages", "outcomes", "restarts", "asked")),
        sa.Column("entered_at", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("finished_at", sa.String(length=32), nullable=True),
        sa.Column("report", sa.String(length=71), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_twin_tests")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_twin_tests_model", "twin_tests", ["model"])
    op.create_index(op.f("ix_twin_tests_state"), "twin_tests", ["state"])
    op.create_table(
        "twin_test_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("test", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("current", sa.String(length=16), nullable=False),
        sa.Column("wanted", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["test"], ["twin_tests.number"], name=op.f("fk_twin_test_moves_test")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_twin_test_moves")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_twin_test_moves_test", "twin_test_moves", ["test", "id"])


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
