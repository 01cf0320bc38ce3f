"""Files that a run needs to go on elsewhere, such as a training's last checkpoint; when it has ended, they are gone.

They lie in a folder of the run's own (`adapters/named_files.py`), each upload under a name of its own. A row says which
upload is the newest of a name. Nothing a worker says about them reaches a blob, or a file of another run.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest
from lineside.contract.run import RUN_MOVES, RunState
from lineside.contract.worker import MOST_KEPT, Kept
from lineside.server.clock import rfc3339
from lineside.server.database import BIG, Base
from lineside.server.runs import store
from lineside.server.runs.fencing import Fencing
from lineside.server.services import Core

_MOST_NAME = 128
_ENDED = [state.value for state, moves in RUN_MOVES.items() if not moves]


class KeptRow(Base):
    """A file of a run; `file` is what its newest upload is called in the run's folder."""

    __tablename__ = "run_kept"

    run: Mapped[str] = mapped_column(String(32), ForeignKey("runs.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    digest: Mapped[str] = mapped_column(String(71))
    at: Mapped[str] = mapped_column(String(32))
    file: Mapped[str] = mapped_column(String(32), default="", server_default="")
    size: Mapped[int] = mapped_column(BIG, default=0, server_default="0")

    def value(self) -> Kept:
        """The row as it travels."""
        return Kept(name=self.name, digest=self.digest, size=self.size)


class KeptFiles:
    """Files of runs that go on. Only the run's newest attempt keeps and fetches them."""

    def __init__(self, core: Core) -> None:
        self._core, self._fencing = core, Fencing(core.database)

    def keep(self, run: str, name: str, digest: str, attempt: str | None, data: Iterator[bytes]) -> Kept:
        """Keep a file that arrives in pieces; the one of this name before goes.

        Raises `request.invalid`, `run.lease_lost`, `blob.digest_mismatch`, `blob.too_large`.
        """
        _check_name(name, digest)
        with self._core.database.read() as session:
            self._fencing.check(session, attempt, run)
            if name not in (known := [kept.name for kept in _kept(session, run)]) and len(known) >= MOST_KEPT:
                raise LinesideError("request.invalid", why=f"a run keeps {MOST_KEPT} files at most")
        file, files = uuid.uuid4().hex, self._core.objects.files
        size = files.write(run, file, data, digest, self._core.settings.blob_bytes)
        try:
            with self._fencing.writes(attempt, run), self._core.database.write() as session:
                before = session.get(KeptRow, (run, name))
                old = None if before is None else before.file
                row = KeptRow(run=run, name=name, digest=digest, at=self._now(), file=file, size=size)
                kept = session.merge(row).value()
        except LinesideError:
            files.delete(run, file)
            raise
        if old:
            files.delete(run, old)
        return kept

    def of(self, run: str, attempt: str | None) -> list[Kept]:
        """What a run keeps, by name. Raises `request.invalid`, `run.lease_lost`."""
        with self._core.database.read() as session:
            self._fencing.check(session, attempt, run)
            return [row.value() for row in _kept(session, run)]

    def read(self, run: str, name: str, attempt: str | None) -> tuple[Kept, Iterator[bytes]]:
        """A file, and its bytes. Raises `request.invalid`, `run.lease_lost`, `request.not_found`."""
        with self._core.database.read() as session:
            self._fencing.check(session, attempt, run)
            row = session.get(KeptRow, (run, name))
            if row is None:
                raise LinesideError("request.not_found", what="file", name=name[:_MOST_NAME])
            kept, file = row.value(), row.file
        return kept, self._core.objects.files.stream(run, file)

    def forget(self, run: str) -> None:
        """The run has ended: nobody goes on with it. Safe to repeat; the rows go last, so that a kill is noticed."""
        with self._core.database.read() as session:
            if not _kept(session, run):
                return
        self._core.objects.files.delete_all(run)
        with self._core.database.write() as session:
            session.execute(delete(KeptRow).where(KeptRow.run == run))

    def forget_ended(self) -> None:
        """What a kill left of runs that have ended: rows, and uploads that were cut off before there was a row."""
        files = self._core.objects.files
        with self._core.database.read() as session:
            query = select(KeptRow.run).join(store.RunRow, store.RunRow.id == KeptRow.run).distinct()
            noted = list(session.scalars(query.where(store.RunRow.state.in_(_ENDED))))
            lying = [run for run in files.folders() if _has_ended(session, run)]
        for run in noted:
            self.forget(run)
        for run in set(lying) - set(noted):
            files.delete_all(run)

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())


def _kept(session: Session, run: str) -> list[KeptRow]:
    return list(session.scalars(select(KeptRow).where(KeptRow.run == run).order_by(KeptRow.name)))


def _has_ended(session: Session, run: str) -> bool:
    """Whether it is known to have: what nobody knows is another's to remove."""
    row = store.run_by_id(session, run)
    return row is not None and not RUN_MOVES[RunState(row.state)]


def _check_name(name: str, digest: str) -> None:
    parts = name.split("/")
    if len(name) > _MOST_NAME or {"", ".", ".."} & set(parts) or not name.isprintable() or not is_digest(digest):
        raise LinesideError("request.invalid", why=f"{name[:40]!r} or its digest cannot be kept")
