"""Labels go out and come back in each format; hostile label files are refused and change nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineside.contract.dataset import LabelKind
from lineside.contract.errors import LinesideError
from lineside.contract.review import LabelsReport, LabelsRequest, ReviewExport
from lineside.server.review.exchange import Exchange
from tests.server.review.world import World, being

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def exchange(world: World) -> Exchange:
    return Exchange(world.core, world.reviews)


def out(world: World, exchange: Exchange, form: str) -> dict[str, bytes]:
    with being("ada"):
        listing = exchange.export(ReviewExport(format=form))
    return {path: world.core.objects.get(digest) for path, digest in listing.files.items()}


def back(world: World, exchange: Exchange, files: dict[str, bytes], form: str | None = None) -> LabelsReport:
    stored = {path: world.core.objects.put(data) for path, data in files.items()}
    with being("ada"):
        return exchange.labels(LabelsRequest(files=stored, format=form))


@pytest.mark.parametrize("form", ["coco", "sagemaker", "labelstudio", "voc", "csv", "yolo", "darknet"])
def test_labels_come_back_as_they_went_out_without_the_pictures(world: World, exchange: Exchange, form: str) -> None:
    world.some(3)
    files = out(world, exchange, form)
    labels = {path: data for path, data in files.items() if not path.endswith(".png")}
    report = back(world, exchange, labels, form)
    assert (report.answered, report.passed_over) == (3, 0)
    box = (world.reviews.get("c0").labels or ())[0]
    assert (box.label, box.x, box.y, box.width, box.height) == ("scratch", 10, 20, 30, 25)
    assert box.source is not None
    assert (box.source.kind, box.source.reviewed) == (LabelKind.MODEL, True)
    assert back(world, exchange, labels, form).passed_over == 3


def test_what_another_tool_drew_is_an_import_of_who_brought_it(world: World, exchange: Exchange) -> None:
    world.some(2)
    document = json.loads(out(world, exchange, "coco")["annotations.json"])
    document["annotations"] = [one | {"bbox": [1, 2, 30, 40]} for one in document["annotations"][:1]]
    report = back(world, exchange, {"annotations/instances_default.json": json.dumps(document).encode()})
    assert report.answered == 2
    labels = [world.reviews.get(name).labels for name in ("c0", "c1")]
    assert sorted(map(len, labels)) == [0, 1]  # listed without a box: nothing is there
    drawn = next(box for boxes in labels for box in boxes)
    assert drawn.source is not None
    assert (drawn.width, drawn.source.kind, drawn.source.by) == (30, LabelKind.IMPORT, "ada")


def test_yolo_labels_below_their_sides_come_back(world: World, exchange: Exchange) -> None:
    """As tools write them, one text file a picture; a picture without a file was not looked at, an empty one shows
    nothing."""
    world.some(3)
    files = {
        "data.yaml": b"names: [scratch, dent]\ntrain: images/train\n",
        "labels/train/c0.txt": b"1 0.5 0.5 0.5 0.25\n",
        "labels/val/c1.txt": b"",
        "labels/val/nobody.txt": b"0 0.5 0.5 0.5 0.5\n",
    }
    report = back(world, exchange, files)
    assert report.answered == 2
    (box,) = world.reviews.get("c0").labels or ()
    assert (box.label, box.x, box.y, box.width, box.height) == ("dent", 30, 30, 60, 20)
    assert world.reviews.get("c1").labels == ()
    assert world.reviews.get("c2").labels is None


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_what_cvat_exports_as_yolo_comes_back(world: World, exchange: Exchange, suffix: str) -> None:
    """Without pictures; one that is listed without a file was not looked at, an empty file shows nothing."""
    world.some(4)
    names = ("c0", "c1", "c2", "nobody")
    files = {
        "obj.data": b"classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
        "obj.names": b"scratch\ndent\n",
        "train.txt": "".join(f"data/obj_train_data/{name}.{suffix}\n" for name in names).encode(),
        "obj_train_data/c0.txt": b"1 0.500000 0.500000 0.500000 0.250000\n",
        "obj_train_data/c1.txt": b"",
        "obj_train_data/nobody.txt": b"0 0.5 0.5 0.5 0.5\n",
    }
    assert back(world, exchange, files).answered == 2
    (box,) = world.reviews.get("c0").labels or ()
    assert (box.label, box.x, box.y, box.width, box.height) == ("dent", 30, 30, 60, 20)
    assert world.reviews.get("c1").labels == ()
    assert [world.reviews.get(name).labels for name in ("c2", "c3")] == [None, None]


def test_exported_captures_are_nobody_elses_for_a_day(world: World, exchange: Exchange) -> None:
    world.some(1)
    out(world, exchange, "coco")
    world.clock.advance(23 * 3600)
    with pytest.raises(LinesideError, match=r"^review\.leased:"):
        world.says("ben", "c0")


COCO = {"images": [{"id": 1, "file_name": "c0.png"}], "annotations": [], "categories": [{"id": 1, "name": "a"}]}
HUGE = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1e300, 0, 5, 5]}


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"a.json": b'{"images": [{"id": 1, "file_name": "c0.png"}], "annotations": [], "categ'}, "dataset."),
        ({"a.json": json.dumps(COCO | {"images": [{"id": 1, "file_name": "../c0.png"}]}).encode()}, "review.labels"),
        ({"a.json": json.dumps(COCO | {"images": [{"id": 1, "file_name": "nobody.png"}]}).encode()}, "review.labels"),
        ({"../a.json": json.dumps(COCO).encode()}, "dataset.path_refused"),
        ({"a.json": b'{"c0.png": 1}'}, "dataset.format_unknown"),
        ({"a.json": b"[" * 100_000 + b'"c0.png" "images" "annotations"'}, "dataset."),
        ({"a.json": b"\xff\xfe\x00"}, "review.labels"),
        ({"a.json": json.dumps(COCO | {"images": COCO["images"] * 2}).encode()}, "dataset."),
        ({}, "review.labels"),
    ],
)
def test_hostile_label_files_are_refused_and_change_nothing(
    world: World, exchange: Exchange, files: Any, code: str
) -> None:
    world.some(1)
    with pytest.raises(LinesideError) as refused:
        back(world, exchange, files)
    assert refused.value.code.startswith(code)
    assert world.reviews.get("c0").answers == ()


def test_a_box_that_is_none_leaves_its_picture_and_is_counted(world: World, exchange: Exchange) -> None:
    world.some(1)
    report = back(world, exchange, {"a.json": json.dumps(COCO | {"annotations": [HUGE]}).encode()})
    assert [one.code for one in report.warnings] == ["dataset.box_invalid"]
