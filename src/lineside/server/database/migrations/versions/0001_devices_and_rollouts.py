"""Tables of access, devices, components, deployments, rollouts and loops."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _components()
    _deployments()
    _devices()
    _events()
    _join_tokens()
    _leases()
    _packages()
    _used_assertions()
    _assignments()
    _desired()
    _device_groups()
    _rollouts()
    _rollout_devices()
    _rollout_moves()


def downgrade() -> None:
    for table in (
        "rollout_moves",
        "rollout_devices",
        "rollouts",
        "device_groups",
        "desired",
        "assignments",
        "used_assertions",
        "packages",
        "leases",
        "join_tokens",
        "events",
        "devices",
        "deployments",
        "components",
    ):
        op.drop_table(table)


def _components() -> None:
    op.create_table(
        "components",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("recipe_digest", sa.String(length=71), nullable=False),
        sa.Column("recipe_size", sa.Integer(), nullable=False),
        sa.Column("artifacts", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=True),
        sa.Column("staging_target", sa.String(length=255), nullable=True),
        sa.Column("model", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_components")),
        sa.UniqueConstraint("recipe_digest", name=op.f("uq_components_recipe_digest")),
        sa.UniqueConstraint("staging_target", name=op.f("uq_components_staging_target")),
        sa.UniqueConstraint("target", name=op.f("uq_components_target")),
    )


def _deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("group", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("components", sa.Text(), nullable=False),
        sa.Column("failure_policy", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("staging", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_deployments")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("deployments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deployments_group"), ["group"], unique=False)


def _devices() -> None:
    op.create_table(
        "devices",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("twin", sa.Boolean(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("joined_at", sa.String(length=32), nullable=False),
        sa.Column("revoked_at", sa.String(length=32), nullable=True),
        sa.Column("last_seen", sa.String(length=32), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("report", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_devices")),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_kind_id", ["kind", "id"], unique=False)
        batch_op.create_index("ix_events_subject_id", ["subject", "id"], unique=False)


def _join_tokens() -> None:
    op.create_table(
        "join_tokens",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("group", sa.String(length=63), nullable=False),
        sa.Column("twin", sa.Boolean(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_join_tokens")),
    )


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=512), nullable=False),
        sa.Column("until", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )


def _packages() -> None:
    op.create_table(
        "packages",
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.String(length=32), nullable=False),
        sa.Column("inference_version", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("model", "version", name=op.f("pk_packages")),
    )


def _used_assertions() -> None:
    op.create_table(
        "used_assertions",
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("jti", sa.String(length=128), nullable=False),
        sa.Column("until", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("device", "jti", name=op.f("pk_used_assertions")),
    )
    with op.batch_alter_table("used_assertions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_used_assertions_until"), ["until"], unique=False)


def _assignments() -> None:
    op.create_table(
        "assignments",
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("group", sa.String(length=63), nullable=False),
        sa.Column("deployment", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["deployment"], ["deployments.number"], name=op.f("fk_assignments_deployment")),
        sa.ForeignKeyConstraint(["device"], ["devices.name"], name=op.f("fk_assignments_device")),
        sa.PrimaryKeyConstraint("device", "group", name=op.f("pk_assignments")),
    )


def _desired() -> None:
    op.create_table(
        "desired",
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("components", sa.Text(), nullable=False),
        sa.Column("deployment", sa.String(length=64), nullable=True),
        sa.Column("failure_policy", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.name"], name=op.f("fk_desired_device")),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_desired")),
    )


def _device_groups() -> None:
    op.create_table(
        "device_groups",
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("group", sa.String(length=63), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.name"], name=op.f("fk_device_groups_device")),
        sa.PrimaryKeyConstraint("device", "group", name=op.f("pk_device_groups")),
    )
    with op.batch_alter_table("device_groups", schema=None) as batch_op:
        batch_op.create_index("ix_device_groups_group", ["group"], unique=False)


def _rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("group", sa.String(length=63), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "running",
                "succeeded",
                "rolling_back",
                "failed",
                "aborted",
                "superseded",
                name="rolloutstate",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("waves", sa.Integer(), nullable=False),
        sa.Column("gates", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("finished_at", sa.String(length=32), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["deployments.number"], name=op.f("fk_rollouts_number")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rollouts")),
    )
    with op.batch_alter_table("rollouts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rollouts_group"), ["group"], unique=False)
        batch_op.create_index(batch_op.f("ix_rollouts_state"), ["state"], unique=False)


def _rollout_devices() -> None:
    op.create_table(
        "rollout_devices",
        sa.Column("rollout", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column(
            "progress",
            sa.Enum(
                "waiting",
                "notified",
                "installing",
                "healthy",
                "failed",
                name="deviceprogress",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("back", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["rollout"], ["rollouts.number"], name=op.f("fk_rollout_devices_rollout")),
        sa.PrimaryKeyConstraint("rollout", "device", name=op.f("pk_rollout_devices")),
    )


def _rollout_moves() -> None:
    op.create_table(
        "rollout_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rollout", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("current", sa.String(length=16), nullable=False),
        sa.Column("wanted", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["rollout"], ["rollouts.number"], name=op.f("fk_rollout_moves_rollout")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollout_moves")),
    )
    with op.batch_alter_table("rollout_moves", schema=None) as batch_op:
        batch_op.create_index("ix_rollout_moves_rollout", ["rollout", "id"], unique=False)
