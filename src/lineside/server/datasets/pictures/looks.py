"""Looks: what a picture is, kept by its digest, so that nothing that was decoded once is decoded again.

When what a look holds is made differently one day, the migration that comes with it empties the table.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.server.adapters.objects import ObjectStore
from lineside.server.database import Base, Database
from lineside.server.database.among import among
from lineside.server.database.upserts import add_missing
from lineside.server.datasets.pictures.limits import HEIGHT, LARGEST, WIDTH, may_be_picture
from lineside.server.datasets.turns import Turns, spare_cores

if TYPE_CHECKING:  # numpy and Pillow wait for the first picture
    from lineside.server.datasets.pictures.decoding import Picture
    from lineside.server.datasets.pictures.patches import Patch

THREADS = 4
"""Threads of a control plane that read and decode pictures, however many ask for it: so many pictures are in memory."""

_pool = ThreadPoolExecutor(THREADS, "look-at")
_cores = threading.BoundedSemaphore(spare_cores())  # Pillow lets go of the interpreter lock while it decodes
_turns = Turns("looking at pictures", at_once=2, waiting=8, patience=60)
_AT_ONCE = 256  # looks in memory and in one transaction


class LookRow(Base):
    """One picture that decodes. What does not is no row: another version of the decoder may know it."""

    __tablename__ = "image_looks"

    digest: Mapped[str] = mapped_column(String(71), primary_key=True)
    width: Mapped[int] = mapped_column()
    height: Mapped[int] = mapped_column()
    form: Mapped[str] = mapped_column(String(8))
    brightness: Mapped[float] = mapped_column()
    patch: Mapped[bytes] = mapped_column(LargeBinary)
    thumbnail: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of a picture: size in pixels after EXIF rotation, format, mean brightness (0..255)."""

    width: int
    height: int
    form: str
    brightness: float


class Looks:
    """Looks of stored pictures, made when they are asked for first."""

    def __init__(self, database: Database, objects: ObjectStore) -> None:
        self._database = database
        self._objects = objects

    def of(self, digests: Iterable[str]) -> dict[str, Look]:
        """The look of each that is a picture; one not seen before is read and decoded now.

        A few hundred are in memory at once. Raises `request.not_found` for what is not stored, `dataset.busy`.
        """
        found: dict[str, Look] = {}
        for some in _batches(list(dict.fromkeys(digests))):
            with self._database.read() as session:
                known = looks(session, some)
            found |= known
            found |= self._make([digest for digest in some if digest not in known])
        return found

    def thumbnail(self, digest: str) -> bytes | None:
        """The JPEG of a picture that was looked at."""
        with self._database.read() as session:
            return session.scalar(select(LookRow.thumbnail).where(LookRow.digest == digest))

    def _make(self, digests: Sequence[str]) -> dict[str, Look]:
        if not digests:
            return {}
        with _turns.turn():
            asked = [_pool.submit(self._look, digest) for digest in digests]
            try:
                seen = [(digest, look.result()) for digest, look in zip(digests, asked, strict=True)]
            finally:
                for look in asked:
                    look.cancel()
        pictures = {digest: picture for digest, picture in seen if picture is not None}
        with self._database.write() as session:
            add_missing(session, LookRow, [_row(digest, picture) for digest, picture in pictures.items()])
        return {digest: Look(p.width, p.height, p.form, p.brightness) for digest, p in pictures.items()}

    def _look(self, digest: str) -> Picture | None:
        from lineside.server.datasets.pictures.decoding import look_at

        data = bytearray()
        for piece in self._objects.stream(digest):
            data += piece
            if not may_be_picture(data) or len(data) > LARGEST:
                return None
        with _cores:
            return look_at(bytes(data))


def looks(session: Session, digests: Iterable[str]) -> dict[str, Look]:
    """Those of some pictures that were looked at."""
    columns = (LookRow.digest, LookRow.width, LookRow.height, LookRow.form, LookRow.brightness)
    rows = session.execute(select(*columns).where(among(LookRow.digest, digests)))
    return {digest: Look(width, height, form, brightness) for digest, width, height, form, brightness in rows}


def patches(session: Session, digests: Iterable[str]) -> dict[str, Patch]:
    """The patches of pictures that were looked at, float16 [48, 72]; for a few hundred digests."""
    rows = session.execute(select(LookRow.digest, LookRow.patch).where(among(LookRow.digest, digests)))
    return {digest: _patch(data) for digest, data in rows}


def patches_on_disk(database: Database, digests: Sequence[str], folder: Path) -> Sequence[Patch]:
    """The patches of many pictures that were looked at, by position: views of a file without a name in `folder`, which
    the operating system reads and forgets as it likes. Ten thousand take 70 MB of disk and no memory."""
    import numpy as np

    with tempfile.TemporaryFile(dir=folder) as file:
        for some in _batches(digests):
            with database.read() as session:
                found = patches(session, some)
            for digest in some:
                file.write(found[digest].tobytes())
        file.flush()
        if not digests:
            return []
        table = np.asarray(np.memmap(file, np.float16, "r", shape=(len(digests), HEIGHT, WIDTH)))
    return list(table)


def _batches(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(digests), _AT_ONCE):
        yield digests[start : start + _AT_ONCE]


def _row(digest: str, picture: Picture) -> Mapping[str, object]:
    return {
        "digest": digest,
        "width": picture.width,
        "height": picture.height,
        "form": picture.form,
        "brightness": picture.brightness,
        "patch": picture.patch.astype("float16").tobytes(),
        "thumbnail": picture.thumbnail,
    }


def _patch(data: bytes) -> Patch:
    import numpy as np

    return np.frombuffer(data, np.float16).reshape(HEIGHT, WIDTH)
