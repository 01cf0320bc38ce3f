"""Proposals that wait for signatures, what is known about keys, who started a run, what the twins saw of a model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _owners_of_runs()
    _proposals()


def _owners_of_runs() -> None:
    op.add_column("runs", sa.Column("by", sa.String(length=256), nullable=False, server_default=""))
    op.add_column("models", sa.Column("twin_report", sa.String(length=71), nullable=True))


def _proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_proposals")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_proposals_state", "proposals", ["state"])
    op.create_index("ix_proposals_kind_subject", "proposals", ["kind", "subject"])
    op.create_table(
        "proposed_files",
        sa.Column("proposal", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("quorums", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["proposal"], ["proposals.number"], name=op.f("fk_proposed_files_proposal")),
        sa.PrimaryKeyConstraint("proposal", "role", name=op.f("pk_proposed_files")),
    )
    op.create_table(
        "proposal_signatures",
        sa.Column("proposal", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["proposal"], ["proposals.number"], name=op.f("fk_proposal_signatures_proposal")),
        sa.PrimaryKeyConstraint("proposal", "role", "key", name=op.f("pk_proposal_signatures")),
    )
    op.create_table(
        "trust_keys",
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("added_at", sa.String(length=32), nullable=False),
        sa.Column("last_used", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("role", "key", name=op.f("pk_trust_keys")),
    )


def downgrade() -> None:
    op.drop_column("models", "twin_report")
    op.drop_column("runs", "by")
    for table in ("trust_keys", "proposal_signatures", "proposed_files", "proposals"):
        op.drop_table(table)
