"""Series: the versions of one name. Which side a group or picture is on is decided once and never changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.dataset import ImageRecord, Split
from lineside.server.database import Base, Database
from lineside.server.database.among import among
from lineside.server.database.upserts import add_missing, upsert
from lineside.server.datasets.pictures.looks import Looks, patches_on_disk
from lineside.server.datasets.splitting import Known, Seen

FIELD = "-field"
"""What the names of field sets end in, and no other dataset's."""

_AT_ONCE = 500


class SideRow(Base):
    """The side of one group or picture in one series; never changed, never removed."""

    __tablename__ = "dataset_sides"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    key: Mapped[str] = mapped_column(String(80), primary_key=True)  # a picture's digest, or see `group_key`
    side: Mapped[str] = mapped_column(String(8))


class SeriesRow(Base):
    """One version of a series. The same content may be a version of several; imported again it is the newest again."""

    __tablename__ = "dataset_series"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    dataset: Mapped[str] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    number: Mapped[int]


def add_to_series(session: Session, name: str, dataset: str) -> None:
    """This is the newest version of this name now."""
    last = session.scalar(select(func.max(SeriesRow.number)).where(SeriesRow.name == name)) or 0
    upsert(session, SeriesRow, [{"name": name, "dataset": dataset, "number": last + 1}])


def newest(session: Session, name: str) -> str | None:
    """The id of the newest version of a name."""
    found = select(SeriesRow.dataset).where(SeriesRow.name == name)
    return session.scalar(found.order_by(SeriesRow.number.desc()).limit(1))


def one_before(session: Session, name: str, dataset: str) -> str | None:
    """The id of the version of a name that was the newest before this one."""
    number = select(SeriesRow.number).where(SeriesRow.name == name, SeriesRow.dataset == dataset).scalar_subquery()
    found = select(SeriesRow.dataset).where(SeriesRow.name == name, SeriesRow.number < number)
    return session.scalar(found.order_by(SeriesRow.number.desc()).limit(1))


def group_key(group: str) -> str:
    """What a group is called in tables, however long its name is."""
    return "group:" + hashlib.sha256(group.encode("utf-8", "surrogatepass")).hexdigest()


def what_is_known(
    database: Database, looks: Looks, name: str, images: Sequence[tuple[str, str | None]], compare: bool, folder: Path
) -> tuple[Known, int]:
    """What a series knows of images, each said by digest and group, and how many keys it knows in all.

    With `compare` also its other pictures, with patches in a file in `folder`, so that new ones find their like.
    """
    pictures = [digest for digest, _ in images]
    groups = {group_key(group): group for _, group in images if group is not None}
    with database.read() as session:
        count = how_many(session, name)
        sides = _sides(session, name, [*pictures, *groups])
        others = _pictures_elsewhere(session, name, set(pictures)) if compare else {}
    known = looks.of(others)
    seen = [digest for digest in others if digest in known]
    patches = patches_on_disk(database, seen, folder)
    return Known(
        pictures=others | {key: side for key, side in sides.items() if key not in groups},
        groups={groups[key]: side for key, side in sides.items() if key in groups},
        elsewhere=[
            Seen(_earlier(digest), digest, patch, None, None) for digest, patch in zip(seen, patches, strict=True)
        ],
    ), count


def _sides(session: Session, name: str, keys: Sequence[str]) -> dict[str, Split]:
    found: dict[str, Split] = {}
    wanted = list(dict.fromkeys(keys))
    for start in range(0, len(wanted), _AT_ONCE):
        rows = select(SideRow.key, SideRow.side).where(SideRow.name == name)
        some = session.execute(rows.where(among(SideRow.key, wanted[start : start + _AT_ONCE])))
        found |= {key: Split(side) for key, side in some}
    return found


def _earlier(digest: str) -> str:
    return f"{digest[:19]} (of an earlier version)"


def _pictures_elsewhere(session: Session, name: str, here: set[str]) -> dict[str, Split]:
    rows = select(SideRow.key, SideRow.side).where(SideRow.name == name, SideRow.key.like("sha256:%"))
    return {key: Split(side) for key, side in session.execute(rows.order_by(SideRow.key)) if key not in here}


def how_many(session: Session, name: str) -> int:
    """How many keys of a series have a side. They only become more, so the same number is the same sides."""
    return session.scalar(select(func.count()).select_from(SideRow).where(SideRow.name == name)) or 0


def remember(session: Session, name: str, images: Sequence[ImageRecord], *, grouped: bool) -> None:
    """Keep the sides of a version's pictures, and of its groups where the data named them (`grouped`).

    What the data itself puts on two sides has none.
    """
    sides: dict[str, set[Split]] = {}
    for image in images:
        for key in _keys(image, grouped):
            sides.setdefault(key, set()).add(image.split)
    rows = [{"name": name, "key": key, "side": found.pop().value} for key, found in sides.items() if len(found) == 1]
    add_missing(session, SideRow, rows)


def _keys(image: ImageRecord, grouped: bool) -> Iterator[str]:
    yield image.digest
    if grouped and image.group is not None:
        yield group_key(image.group)
