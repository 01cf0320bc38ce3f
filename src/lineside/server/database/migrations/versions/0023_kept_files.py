"""Files of runs at a place of their own, what runs wait for in columns, and attempts that ended in an orderly way.

Notes of files that lie among the blobs go, their bytes stay: a run at work sends its checkpoint again within half a
minute, and one that nobody works on begins its training anew.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM run_kept")
    op.add_column("run_kept", sa.Column("file", sa.String(length=32), server_default="", nullable=False))
    size = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("run_kept", sa.Column("size", size, server_default="0", nullable=False))
    op.add_column("runs", sa.Column("kind", sa.String(length=16), server_default="train", nullable=False))
    op.add_column("runs", sa.Column("commands", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("runs", sa.Column("given_back", sa.Integer(), server_default="0", nullable=False))
    _kinds()


def _kinds() -> None:
    runs = sa.table("runs", sa.column("number"), sa.column("request"), sa.column("kind"), sa.column("commands"))
    bind = op.get_bind()
    for number in bind.scalars(sa.select(runs.c.number)).all():
        request = json.loads(str(bind.scalar(sa.select(runs.c.request).where(runs.c.number == number))))
        told = {"kind": request.get("kind", "train"), "commands": bool(request.get("steps"))}
        bind.execute(sa.update(runs).where(runs.c.number == number).values(**told))


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: restore the copy from before the upgrade")
