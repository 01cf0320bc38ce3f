"""Keys that control planes on one database have in common, and how a start with others is refused.

Devices remember one CA, and what one control plane signed, sealed or stamped the next must be able to read. So R/keys
is copied to every root, and the database remembers a digest of each file. Only digests of random keys are kept, which
say nothing about them. Keys that change while they are in use are looked at elsewhere: secrets.key by the secrets
that are sealed with it, tuf-*.pem by the metadata that trusts them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from lineside.contract.errors import LinesideError
from lineside.server.database import Base
from lineside.server.database.upserts import add_missing
from lineside.server.services import Core

FILES = ("ca.key", "ca.pem", "access-token.key", "people.key", "audit.key", "webhooks.key")
"""Made at the first start, and never changed."""


class SharedKeyRow(Base):
    """What the database remembers of a key."""

    __tablename__ = "shared_keys"

    file: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(71))


def check_keys(core: Core) -> None:
    """Whether this control plane has the keys of the others on its database; what the database does not know yet, it
    remembers. Does nothing on SQLite, which lies in the root. Raises `start.other_keys`."""
    if not core.database.shared:
        return
    here = {file: _digest(core.keys / file) for file in FILES}
    with core.database.read() as session:
        known = {row.file: row.digest for row in session.scalars(select(SharedKeyRow))}
    _compare(core, here, known)
    new = [{"file": file, "digest": digest} for file, digest in here.items() if digest and file not in known]
    if not new:
        return
    with core.database.write() as session:
        known = {row.file: row.digest for row in session.scalars(select(SharedKeyRow))}
        _compare(core, here, known)
        add_missing(session, SharedKeyRow, new)


def _compare(core: Core, here: dict[str, str | None], known: dict[str, str]) -> None:
    other = sorted(file for file, digest in known.items() if here.get(file) != digest)
    if other:
        raise LinesideError("start.other_keys", files=", ".join(other), folder=core.keys)


def _digest(path: Path) -> str | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return "sha256:" + hashlib.sha256(b"lineside key\0" + path.name.encode() + b"\0" + content).hexdigest()
