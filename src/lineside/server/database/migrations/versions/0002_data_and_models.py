"""Tables of datasets, runs, models, captures and results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _captures()
    _datasets()
    _model_moves()
    _models()
    _results()
    _results_refused()
    _runs()
    _step_cache()
    _dataset_images()
    _run_curves()
    _run_steps()
    _upload_tickets()


def downgrade() -> None:
    for table in (
        "upload_tickets",
        "run_steps",
        "run_curves",
        "dataset_images",
        "step_cache",
        "runs",
        "results_refused",
        "results",
        "models",
        "model_moves",
        "datasets",
        "captures",
    ):
        op.drop_table(table)


def _captures() -> None:
    op.create_table(
        "captures",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("strategy", sa.String(length=32), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.String(length=32), nullable=False),
        sa.Column("uploaded_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_captures")),
    )
    with op.batch_alter_table("captures", schema=None) as batch_op:
        batch_op.create_index("ix_captures_device_requested_at", ["device", "requested_at"], unique=False)
        batch_op.create_index("ix_captures_uploaded_at", ["uploaded_at", "id"], unique=False)


def _datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("digest", name=op.f("uq_datasets_digest")),
    )


def _model_moves() -> None:
    op.create_table(
        "model_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("current", sa.String(length=24), nullable=False),
        sa.Column("wanted", sa.String(length=24), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("actor", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_moves")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("model_moves", schema=None) as batch_op:
        batch_op.create_index("ix_model_moves_name_version", ["name", "version"], unique=False)


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.String(length=80), nullable=False),
        sa.Column("registered", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("decided_at", sa.String(length=32), nullable=True),
        sa.Column("decided_by", sa.String(length=256), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("twin_rollout", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_models")),
        sa.UniqueConstraint("content", name=op.f("uq_models_content")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_models_state"), ["state"], unique=False)
        batch_op.create_index("uq_models_name_version", ["name", "version"], unique=True)


def _results() -> None:
    op.create_table(
        "results",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("received_at", sa.String(length=32), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_results")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("results", schema=None) as batch_op:
        batch_op.create_index("ix_results_device_id", ["device", "id"], unique=False)
        batch_op.create_index("uq_results_device_sequence_digest", ["device", "sequence", "digest"], unique=True)


def _results_refused() -> None:
    op.create_table(
        "results_refused",
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.String(length=32), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_results_refused")),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=True),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("gates", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("finished_at", sa.String(length=32), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_runs")),
        sa.UniqueConstraint("id", name=op.f("uq_runs_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index("ix_runs_state_number", ["state", "number"], unique=False)


def _step_cache() -> None:
    op.create_table(
        "step_cache",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("outputs", sa.Text(), nullable=False),
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("stored_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_step_cache")),
    )


def _dataset_images() -> None:
    op.create_table(
        "dataset_images",
        sa.Column("dataset", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(length=8), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_dataset_images_dataset")),
        sa.PrimaryKeyConstraint("dataset", "position", name=op.f("pk_dataset_images")),
    )
    with op.batch_alter_table("dataset_images", schema=None) as batch_op:
        batch_op.create_index("ix_dataset_images_split", ["dataset", "split", "position"], unique=False)


def _run_curves() -> None:
    op.create_table(
        "run_curves",
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_run_curves_run")),
        sa.PrimaryKeyConstraint("run", "series", "epoch", name=op.f("pk_run_curves")),
    )


def _run_steps() -> None:
    op.create_table(
        "run_steps",
        sa.Column("run", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_run_steps_run")),
        sa.PrimaryKeyConstraint("run", "name", name=op.f("pk_run_steps")),
    )


def _upload_tickets() -> None:
    op.create_table(
        "upload_tickets",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("capture", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.String(length=32), nullable=False),
        sa.Column("used_at", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["capture"], ["captures.id"], name=op.f("fk_upload_tickets_capture")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_tickets")),
    )
    with op.batch_alter_table("upload_tickets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_upload_tickets_capture"), ["capture"], unique=False)
