"""Contents of desired documents, each once; what the newest report of a device comes to, in columns."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_SAID = (
    "components",
    "deployment",
    "failure_policy",
    "update_policy",
    "validation_policy",
)


def upgrade() -> None:
    op.create_table(
        "desired_contents",
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("components", sa.Text(), nullable=False),
        sa.Column("deployment", sa.String(length=64), nullable=True),
        sa.Column("failure_policy", sa.String(length=16), nullable=False),
        sa.Column("update_policy", sa.Text(), nullable=True),
        sa.Column("validation_policy", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_desired_contents")),
    )
    said = ", ".join(_SAID)
    least = ", ".join(f"min({name})" for name in _SAID)
    op.execute(f"INSERT INTO desired_contents (digest, {said}) SELECT digest, {least} FROM desired GROUP BY digest")
    with op.batch_alter_table("desired") as table:
        table.alter_column("digest", new_column_name="content", existing_type=sa.String(71), existing_nullable=False)
        for name in _SAID:
            table.drop_column(name)
    with op.batch_alter_table("desired") as table:
        table.create_foreign_key(op.f("fk_desired_content"), "desired_contents", ["content"], ["digest"])
        table.create_index("ix_desired_content", ["content"])
    op.add_column("devices", sa.Column("revision", sa.Integer(), server_default="-1", nullable=False))
    op.add_column("devices", sa.Column("phase", sa.String(length=16), server_default="", nullable=False))
    op.add_column("devices", sa.Column("outcome", sa.String(length=16), nullable=True))
    op.add_column("devices", sa.Column("healthy_since", sa.String(length=32), nullable=True))
    op.add_column("devices", sa.Column("restarts", sa.Integer(), server_default="0", nullable=False))
    _judge()


_OUTCOMES = {"healthy": "healthy", "rolled_back": "failed", "failed": "failed", "refused": "failed"}


def _judge() -> None:
    """What the newest report says of its revision, at its word: a device that is healthy may not report for long."""
    connection = op.get_bind()
    change = sa.text("UPDATE devices SET revision = :revision, phase = :phase, outcome = :outcome WHERE name = :name")
    for name, text in connection.execute(sa.text("SELECT name, report FROM devices WHERE report IS NOT NULL")).all():
        report = json.loads(text)
        said = {"revision": report["revision"], "phase": report["phase"]}
        connection.execute(change, {"name": name, "outcome": _OUTCOMES.get(report["phase"], "installing")} | said)
    connection.execute(sa.text("UPDATE devices SET healthy_since = last_seen WHERE outcome = 'healthy'"))


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
