"""What results come to, by device, model file and hour; what runs on which device, and on how many over time."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_SUMS = (
    "count",
    "without",
    "compared",
    "agreed",
    *(f"c{step}" for step in range(10)),
    *(f"l{step:02}" for step in range(64)),
)


def upgrade() -> None:
    _result_hours()
    _result_classes()
    _device_components()
    _adoption()
    _running()


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")


def _result_hours() -> None:
    op.create_table(
        "result_hours",
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("hour", sa.String(length=13), nullable=False),
        *(sa.Column(name, sa.Integer(), server_default="0", nullable=False) for name in _SUMS),
        sa.PrimaryKeyConstraint("device", "digest", "hour", name=op.f("pk_result_hours")),
    )
    op.create_index(op.f("ix_result_hours_hour"), "result_hours", ["hour"])


def _result_classes() -> None:
    op.create_table(
        "result_classes",
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("hour", sa.String(length=13), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("device", "digest", "hour", "label", name=op.f("pk_result_classes")),
    )
    op.create_index(op.f("ix_result_classes_hour"), "result_classes", ["hour"])


def _device_components() -> None:
    op.create_table(
        "device_components",
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.name"], name=op.f("fk_device_components_device")),
        sa.PrimaryKeyConstraint("device", "name", name=op.f("pk_device_components")),
    )
    op.create_index("ix_device_components_name", "device_components", ["name", "version"])


def _adoption() -> None:
    op.create_table(
        "adoption",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("devices", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", "at", "version", name=op.f("pk_adoption")),
    )


def _running() -> None:
    """What each device's newest report says runs there."""
    connection = op.get_bind()
    insert = sa.text("INSERT INTO device_components (device, name, version, digest) VALUES (:d, :n, :v, :r)")
    for device, text in connection.execute(sa.text("SELECT name, report FROM devices WHERE report IS NOT NULL")).all():
        running = {one["name"]: one for one in json.loads(text).get("running", ())}
        for name, one in running.items():
            values = {"d": device, "n": name[:128], "v": one["version"][:64], "r": one["recipe_digest"][:71]}
            connection.execute(insert, values)
