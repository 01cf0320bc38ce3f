"""An upgrade finds out what versions of before say: sides, groups, classes; captures by picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from lineside.contract.dataset import Box, DatasetVersion, ImageRecord, Split
from lineside.contract.ids import digest_of
from lineside.server.database import Database
from lineside.server.database.schema import bring_up
from lineside.server.datasets.series import group_key

BOX = Box(label="rust", x=1, y=1, width=5, height=5)


@pytest.fixture
def database(tmp_path: Path, engine: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/old.db" if engine == "sqlite" else request.getfixturevalue("postgresql")
    opened = Database(url)
    bring_up(opened, "0018")
    yield opened
    opened.close()


def image(number: int, side: Split, group: str | None) -> ImageRecord:
    digest = digest_of(b"%d" % number)
    boxes = (BOX,) if number == 1 else ()
    return ImageRecord(
        digest=digest, file_name=f"{number}.png", width=9, height=9, group=group, split=side, boxes=boxes
    )


def store(database: Database, name: str, at: int, *images: ImageRecord) -> str:
    version = DatasetVersion(
        id=f"ds-{at}", digest=f"sha256:{at}", name=name, created_at=f"2026-11-0{at}T00:00:00Z", format="coco",
        origin="photographs", images=len(images), boxes=0, classes=("dent", "rust"), splits={}, groups=0,
        split_by="group",
    )  # fmt: skip
    row = {"id": version.id, "digest": version.digest, "created_at": version.created_at}
    with database.write() as session:
        session.execute(
            text("INSERT INTO datasets (id, digest, created_at, version) VALUES (:id, :digest, :created_at, :version)"),
            row | {"version": msgspec.json.encode(version).decode()},
        )
        for position, one in enumerate(images):
            session.execute(
                text("INSERT INTO dataset_images (dataset, position, split, record) VALUES (:d, :p, :s, :r)"),
                {"d": version.id, "p": position, "s": one.split.value, "r": msgspec.json.encode(one).decode()},
            )
    return version.id


@pytest.mark.both_databases
def test_the_first_version_of_a_name_decides(database: Database) -> None:
    store(database, "tags", 1, image(1, Split.TEST, "a"), image(2, Split.TRAIN, "b"), image(3, Split.VAL, None))
    store(database, "tags", 2, image(1, Split.TRAIN, "a"), image(4, Split.TRAIN, "c"), image(5, Split.TEST, "c"))
    bring_up(database)
    with database.read() as session:
        rows = session.execute(text("SELECT name, key, side FROM dataset_sides")).all()
        found = {key: side for name, key, side in rows if name == "tags"}
        labels = session.execute(text("SELECT dataset, position, label, source FROM dataset_labels")).all()
        newest = session.execute(text("SELECT dataset FROM dataset_series ORDER BY number DESC")).scalars().first()
        of_group = text("SELECT count(*) FROM dataset_images WHERE grouping = :key AND digest IS NOT NULL")
        in_group = session.execute(of_group, {"key": group_key("c")}).scalar()
    expected = {1: "test", 2: "train", 3: "val", 4: "train", 5: "test"}
    assert found == {digest_of(b"%d" % number): side for number, side in expected.items()} | {
        group_key("a"): "test",
        group_key("b"): "train",  # c was on two sides: it has none
    }
    assert [tuple(row) for row in labels] == [("ds-1", 0, 1, "unknown"), ("ds-2", 0, 1, "unknown")]
    assert (newest, in_group) == ("ds-2", 2)
