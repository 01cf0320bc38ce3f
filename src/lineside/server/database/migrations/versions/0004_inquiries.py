"""What people ask of devices, and the parts of the answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inquiries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.String(length=32), nullable=False),
        sa.Column("next_part", sa.Integer(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.name"], name=op.f("fk_inquiries_device")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inquiries")),
    )
    op.create_index("ix_inquiries_device", "inquiries", ["device", "expires_at"])
    op.create_table(
        "inquiry_parts",
        sa.Column("inquiry", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["inquiry"], ["inquiries.id"], name=op.f("fk_inquiry_parts_inquiry")),
        sa.PrimaryKeyConstraint("inquiry", "number", name=op.f("pk_inquiry_parts")),
    )


def downgrade() -> None:
    op.drop_table("inquiry_parts")
    op.drop_table("inquiries")
