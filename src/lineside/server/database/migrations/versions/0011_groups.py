"""Groups, labels and facts of devices."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "groups",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("selector", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_groups")),
    )
    op.create_table(
        "device_labels",
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("key", sa.String(length=63), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("suggested", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(["device"], ["devices.name"], name=op.f("fk_device_labels_device"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device", "key", name=op.f("pk_device_labels")),
    )
    op.create_index("ix_device_labels_key_value", "device_labels", ["key", "value"])
    op.add_column("device_groups", sa.Column("origin", sa.String(length=16), server_default="static", nullable=False))
    op.add_column("devices", sa.Column("os", sa.String(length=32), server_default="", nullable=False))
    op.add_column("devices", sa.Column("architecture", sa.String(length=32), server_default="", nullable=False))
    op.add_column("devices", sa.Column("time_zone", sa.String(length=64), server_default="", nullable=False))
    op.add_column("devices", sa.Column("conditions", sa.Integer(), server_default="0", nullable=False))
    _name_groups()
    _read_reports()


def _name_groups() -> None:
    """Until now a group was there because devices, or leave to join, named it. The oldest of them is when it began."""
    op.execute(
        """
        INSERT INTO groups (name, description, created_at)
        SELECT name, '', min(at) FROM (
          SELECT m."group" AS name, d.joined_at AS at FROM device_groups m JOIN devices d ON d.name = m.device
          UNION ALL SELECT "group", created_at FROM join_tokens
          UNION ALL SELECT "group", created_at FROM preauthorised
          UNION ALL SELECT "group", created_at FROM deployments
        ) AS named GROUP BY name
        """
    )


def _read_reports() -> None:
    """Platform and conditions from the newest report. Everything else that selects comes with the next one."""
    connection = op.get_bind()
    change = sa.text(
        "UPDATE devices SET os = :os, architecture = :architecture, conditions = :conditions WHERE name = :name"
    )
    found = connection.execute(sa.text("SELECT name, facts, report FROM devices")).all()
    rows = [_columns(name, json.loads(facts), json.loads(report) if report else {}) for name, facts, report in found]
    if rows:
        connection.execute(change, rows)


def _columns(name: str, facts: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    said = facts | report.get("facts", {})
    return {
        "name": name,
        "os": str(said.get("os", ""))[:32],
        "architecture": str(said.get("architecture", ""))[:32],
        "conditions": len(report.get("conditions", ())),
    }


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
