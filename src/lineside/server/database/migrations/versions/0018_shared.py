"""What control planes on one database share: signed metadata, the end of the audit trail, and which keys they have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


_VIEW = """
CREATE VIEW desired AS
SELECT d.device, d.revision, d.content AS digest,
       c.components, c.deployment, c.failure_policy, c.update_policy, c.validation_policy
FROM desired_documents d JOIN desired_contents c ON c.digest = d.content
"""

_FUNCTION = """
CREATE FUNCTION desired_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM desired_documents WHERE device = OLD.device;
        RETURN OLD;
    END IF;
    INSERT INTO desired_contents
        (digest, components, deployment, failure_policy, update_policy, validation_policy)
    VALUES
        (NEW.digest, NEW.components, NEW.deployment, NEW.failure_policy, NEW.update_policy, NEW.validation_policy)
    ON CONFLICT DO NOTHING;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO desired_documents (device, revision, content) VALUES (NEW.device, NEW.revision, NEW.digest);
    ELSE
        UPDATE desired_documents SET revision = NEW.revision, content = NEW.digest WHERE device = OLD.device;
    END IF;
    RETURN NEW;
END
$$
"""

_TRIGGER = """
CREATE TRIGGER desired_written INSTEAD OF INSERT OR UPDATE OR DELETE ON desired
FOR EACH ROW EXECUTE FUNCTION desired_written()
"""


def upgrade() -> None:
    _shared()
    _desired()
    _results()


def _results() -> None:
    """Ten thousand devices with a result a second each use up 32 bits in three days. On SQLite there are 64."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for name in ("id", "sequence"):
        op.alter_column("results", name, type_=sa.BigInteger(), existing_nullable=False)
    op.execute("ALTER SEQUENCE results_id_seq AS bigint")


def _desired() -> None:
    """A name of its own for the table that 0012 changed, so that the old name can stay for the release before."""
    op.create_table(
        "desired_documents",
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content", sa.String(length=71), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.name"], name=op.f("fk_desired_documents_device")),
        sa.ForeignKeyConstraint(["content"], ["desired_contents.digest"], name=op.f("fk_desired_documents_content")),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_desired_documents")),
    )
    op.execute("INSERT INTO desired_documents SELECT device, revision, content FROM desired")
    op.drop_table("desired")
    op.create_index("ix_desired_documents_content", "desired_documents", ["content"])
    if op.get_bind().dialect.name == "postgresql":
        # Control planes of the release before go on while the first one is upgraded: they see the table as it was.
        # On SQLite there is one at a time. The next release drops the view.
        for statement in (_VIEW, _FUNCTION, _TRIGGER):
            op.execute(statement)


def _shared() -> None:
    op.create_table(
        "tuf_files",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tuf_files")),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "shared_keys",
        sa.Column("file", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.PrimaryKeyConstraint("file", name=op.f("pk_shared_keys")),
    )


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
