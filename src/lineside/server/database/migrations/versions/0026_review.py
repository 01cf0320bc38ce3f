"""Reviews of captures: where each stands, answers, leases, tallies, the policy and rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review_answers",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("capture", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=256), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("boxes", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("tool", sa.String(length=32), nullable=False),
        sa.Column("before", sa.String(length=12), nullable=False),
        sa.Column("turn", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_review_answers")),
    )
    with op.batch_alter_table("review_answers", schema=None) as batch_op:
        batch_op.create_index("ix_review_answers_at", ["at"], unique=False)
        batch_op.create_index("ix_review_answers_capture", ["capture", "number"], unique=False)
        batch_op.create_index("ix_review_answers_person", ["person", "undone", "number"], unique=False)

    _items()
    _others()


def _items() -> None:
    op.create_table(
        "review_items",
        sa.Column("capture", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("strategy", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("alike", sa.String(length=64), nullable=False),
        sa.Column("arrival", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("turn", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("first_by", sa.String(length=256), nullable=False),
        sa.Column("labels", sa.Text(), nullable=True),
        sa.Column("people", sa.Text(), nullable=False),
        sa.Column("reviewed_at", sa.String(length=32), nullable=True),
        sa.Column("dataset", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("capture", name=op.f("pk_review_items")),
    )
    with op.batch_alter_table("review_items", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_review_items_alike"), ["alike"], unique=False)
        batch_op.create_index("ix_review_items_device", ["state", "device", "turn", "capture"], unique=False)
        batch_op.create_index(
            "ix_review_items_device_strategy", ["state", "device", "strategy", "turn", "capture"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_review_items_digest"), ["digest"], unique=False)
        batch_op.create_index("ix_review_items_model", ["state", "model", "turn", "capture"], unique=False)
        batch_op.create_index("ix_review_items_queue", ["state", "turn", "capture"], unique=False)
        batch_op.create_index("ix_review_items_reviewed", ["strategy", "reviewed_at"], unique=False)
        batch_op.create_index("ix_review_items_reviewed_at", ["reviewed_at"], unique=False)
        batch_op.create_index("ix_review_items_second", ["state", "first_by", "turn", "capture"], unique=False)
        batch_op.create_index("ix_review_items_seen", ["device", "arrival"], unique=False)
        batch_op.create_index("ix_review_items_strategy", ["state", "strategy", "turn", "capture"], unique=False)
        batch_op.create_index("ix_review_items_unused", ["state", "dataset", "reviewed_at"], unique=False)


def _others() -> None:
    op.create_table(
        "review_leases",
        sa.Column("capture", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=256), nullable=False),
        sa.Column("until", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("capture", "person", name=op.f("pk_review_leases")),
    )
    with op.batch_alter_table("review_leases", schema=None) as batch_op:
        batch_op.create_index("ix_review_leases_person", ["person", "until"], unique=False)
        batch_op.create_index("ix_review_leases_until", ["until"], unique=False)

    op.create_table(
        "review_policy",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("taken_in", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_policy")),
    )
    op.create_table(
        "review_rules",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_review_rules")),
    )
    op.create_table(
        "review_standing",
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("items", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_review_standing")),
    )
    op.create_table(
        "review_tallies",
        sa.Column("person", sa.String(length=256), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("answers", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("person", "day", "kind", name=op.f("pk_review_tallies")),
    )


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
