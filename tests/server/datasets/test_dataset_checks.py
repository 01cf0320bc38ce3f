"""Checks, figures, differences and field sets of dataset versions."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.grouping import photographs
from msgspec.structs import replace
from PIL import Image
from sqlalchemy import delete, update

from lineside.client import Client
from lineside.contract.dataset import Box, ImageRecord, LabelFrom, LabelKind, LabelSource, Split
from lineside.contract.dataset_check import Change, CheckReport, FieldRequest, JudgedSplit
from lineside.contract.errors import LinesideError
from lineside.server.datasets.checking import MEANINGS
from lineside.server.datasets.differing import labels_digest
from lineside.server.datasets.fields import FieldSets
from lineside.server.datasets.figures import FiguresRow
from lineside.server.datasets.inspecting import Inspections
from lineside.server.datasets.pictures.looks import LookRow
from lineside.server.datasets.service import DatasetsService
from lineside.server.datasets.store import Filters, ImageRow
from lineside.server.services import Core
from lineside.server.testing import Running

Make = Callable[[str], Any]
COUNT = 12


@pytest.fixture
def inspections(core: Core) -> Inspections:
    return Inspections(core, DatasetsService(core))


def write(folder: Any, make: Make, boxes: list[dict[str, Any]], classes: int = 1, **fields: Any) -> None:
    """Twelve pictures in six groups that the data itself divides, one box each and some more."""
    images = make("listed")(COUNT, **fields)
    for image in images:
        folder.files.setdefault(image["file_name"], make("picture")(image["id"]))
        image.setdefault("group", f"tag {image['id'] // 2}")
        image.setdefault("split", ("train", "train", "train", "train", "val", "test")[image["id"] // 2])
    all_boxes = [make("boxed")(n, 10, 10, 20, 20) for n in range(COUNT)] + boxes
    categories = [{"id": 1 + n, "name": name} for n, name in enumerate(("dent", "rust")[:classes])]
    content = {"images": images, "annotations": all_boxes, "categories": categories}
    folder.files["a.json"] = json.dumps(content).encode()


def codes(report: CheckReport) -> dict[str, int]:
    return {finding.code: finding.count for finding in report.findings}


def test_of_good_data_nothing_is_found(folder: Any, make: Make, inspections: Inspections) -> None:
    write(folder, make, [])
    report = inspections.check(folder().id, JudgedSplit.OWN)
    assert (report.findings, report.blocked, report.images) == ((), False, COUNT)


@pytest.mark.parametrize(
    ("box", "code", "blocks"),
    [
        ((50, 50, 2, 20), "check.box_tiny", False),
        ((10, 10, 20, 19), "check.box_doubled", False),
        ((10, 10, 21, 20, 2), "check.labels_contradict", True),
    ],
)
def test_problems_of_labels_are_found(
    folder: Any, make: Make, inspections: Inspections, box: Any, code: str, blocks: bool
) -> None:
    write(folder, make, [make("boxed")(3, *box[:4], category_id=box[4] if box[4:] else 1)], classes=2)
    report = inspections.check(folder().id, JudgedSplit.OWN)
    assert (codes(report), report.blocked) == ({code: 1}, blocks)
    assert report.findings[0].examples[0].file_name == "3.png"


@pytest.mark.parametrize("gone", [1, COUNT])
def test_a_picture_that_decodes_no_longer_is_checked_for_all_but_its_looks(
    folder: Any, make: Make, inspections: Inspections, core: Core, monkeypatch: pytest.MonkeyPatch, gone: int
) -> None:
    write(folder, make, [make("boxed")(11, 50, 50, 2, 20)], group=None)
    folder.files["10.png"] = folder.files["0.png"]  # on train and on test
    version = folder()
    with core.database.write() as session:
        session.execute(delete(LookRow).where(LookRow.digest.in_([one.digest for one in folder.images[:gone]])))
    monkeypatch.setattr("lineside.server.datasets.pictures.decoding.look_at", lambda data: None)
    assert codes(inspections.check(version.id, JudgedSplit.OWN)) == {"check.leak_picture": 1, "check.box_tiny": 1}


def test_boxes_that_only_touch_are_no_problem(folder: Any, make: Make, inspections: Inspections) -> None:
    write(folder, make, [make("boxed")(3, 20, 20, 20, 20), make("boxed")(4, 10, 10, 20, 40, category_id=2)], classes=2)
    assert inspections.check(folder().id, JudgedSplit.OWN).findings == ()


def test_one_picture_with_two_opinions_contradicts_itself(folder: Any, make: Make, inspections: Inspections) -> None:
    folder.files["1.png"] = make("picture")(0)
    write(folder, make, [make("boxed")(1, 60, 60, 9, 9)])
    assert codes(inspections.check(folder().id, JudgedSplit.OWN)) == {"check.labels_contradict": 1}


def test_planted_leaks_are_found(folder: Any, make: Make, inspections: Inspections, core: Core) -> None:
    folder.files["11.png"] = make("picture")(0)  # a training picture among those that test
    looks_alike = Image.open(io.BytesIO(make("picture")(2))).point(lambda level: int(level * 0.8))
    folder.files["10.png"] = make("png")(looks_alike)
    write(folder, make, [])
    content = json.loads(folder.files["a.json"])
    content["images"][8]["group"] = "tag 0"  # in val; the others of tag 0 are trained on
    folder.files["a.json"] = json.dumps(content).encode()
    report = inspections.check(folder().id, JudgedSplit.OWN)
    assert codes(report) == {"check.leak_group": 1, "check.leak_picture": 1, "check.leak_near_duplicate": 1}
    assert report.blocked
    assert [one.examples[0].detail for one in report.findings[:2]] == [
        "group tag 0: train: 0.png, 1.png; val: 8.png",
        "train: 0.png; test: 11.png",
    ]
    service = DatasetsService(core)
    found = service.images(folder.version.id, Filters(finding="check.leak_near_duplicate"), 0, 10)
    assert [image.file_name for image in found.images] == ["10.png", "2.png"]
    assert inspections.checked(folder.version.id) == report


def test_a_random_split_shows_what_it_would_leak(folder: Any, make: Make, inspections: Inspections) -> None:
    shots = list(photographs(30, 1.0))
    folder.files = {f"{at}.png": make("png")(shot) for at, shot in enumerate(shots)}
    folder.files["a.json"] = make("coco")([{"id": at, "file_name": f"{at}.png"} for at in range(30)], [])
    own = inspections.check(folder().id, JudgedSplit.OWN)
    chance = inspections.check(folder.version.id, JudgedSplit.RANDOM)
    assert (own.findings, own.blocked) == ((), False)
    assert chance.blocked
    assert set(codes(chance)) == {"check.leak_group"}
    first = chance.findings[0].examples[0]  # a group that near-duplicates make is known by its pictures
    assert first.detail.startswith("group like-")
    assert first.file_name in first.detail
    assert len(set(re.findall(r"\d+\.png", first.detail))) > 1
    assert inspections.checked(folder.version.id) == own  # what was only tried is not kept


def test_without_groups_a_random_split_leaks_near_duplicates(folder: Any, make: Make, inspections: Inspections) -> None:
    shots = list(photographs(30, 1.0))
    folder.files = {f"{at}.png": make("png")(shot) for at, shot in enumerate(shots)}
    images = [{"id": at, "file_name": f"{at}.png", "split": ("train", "test")[at % 2]} for at in range(30)]
    folder.files["a.json"] = make("coco")(images, [])
    report = inspections.check(folder().id, JudgedSplit.OWN)
    assert set(codes(report)) == {"check.leak_near_duplicate"}
    assert 30 <= codes(report)["check.leak_near_duplicate"] <= 36  # six of the ten pairs of each thing's pictures
    assert report.findings[0].images == 30


def test_every_finding_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text()
    for code, meaning in MEANINGS.items():
        assert f"| `{code}` | {meaning.level.value} |" in page


def test_figures(folder: Any, make: Make, inspections: Inspections) -> None:
    write(folder, make, [make("boxed")(3, 50, 50, 40, 10, category_id=2)], classes=2)
    stats = inspections.stats(folder().id)
    assert [(one.label, one.boxes, one.images["train"]) for one in stats.classes] == [("dent", 12, 8), ("rust", 1, 1)]
    assert [(one.side, one.images, one.boxes, one.groups) for one in stats.sides] == [
        (Split.TRAIN, 8, 9, 4), (Split.VAL, 2, 2, 1), (Split.TEST, 2, 2, 1),
    ]  # fmt: skip
    assert dict(zip(stats.box_sizes.edges, stats.box_sizes.counts, strict=True))[16] == 13
    assert (sum(stats.brightness.counts), stats.pictures, stats.sources) == (12, {"120x80": 12}, {"unknown": 13})
    assert (stats.groups, stats.largest_group, stats.ungrouped) == (6, 2, 0)


def test_figures_are_counted_once_and_of_versions_of_before_when_asked_first(
    folder: Any, make: Make, inspections: Inspections, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, make, [])
    expected = inspections.stats(folder().id)
    with core.database.write() as session:
        session.execute(delete(FiguresRow))
    assert inspections.stats(folder.version.id) == expected
    monkeypatch.setattr("lineside.server.datasets.store.all_images", lambda *_: pytest.fail("counted again"))
    assert inspections.stats(folder.version.id) == expected


def test_figures_are_not_final_while_a_picture_has_no_look(
    folder: Any, make: Make, inspections: Inspections, core: Core
) -> None:
    write(folder, make, [])
    version = folder()
    with core.database.write() as session:
        session.execute(delete(FiguresRow))
        session.execute(delete(LookRow).where(LookRow.digest == folder.images[0].digest))
    assert sum(inspections.stats(version.id).brightness.counts) == COUNT - 1
    inspections.check(version.id, JudgedSplit.OWN)  # looks at what was not looked at
    assert sum(inspections.stats(version.id).brightness.counts) == COUNT


def test_what_differs_is_said_image_by_image(folder: Any, make: Make, inspections: Inspections, core: Core) -> None:
    write(folder, make, [])
    before = folder("first")
    write(folder, make, [make("boxed")(3, 50, 50, 9, 9)])
    content = json.loads(folder.files["a.json"])
    del content["images"][0]
    content["annotations"] = [one for one in content["annotations"] if one["image_id"]]
    content["images"][-1]["split"] = "train"
    content["images"].append({"id": 99, "file_name": "99.png", "split": "val", "group": "new"})
    folder.files["99.png"] = make("picture")(99)
    folder.files["a.json"] = json.dumps(content).encode()
    diff = inspections.diff(before.id, folder("second").id, None, 0, 100)
    assert diff.counts == {"added": 1, "removed": 1, "labels": 1, "side": 1}
    assert [(one.change, one.file_name, one.detail) for one in diff.changes] == [
        (Change.ADDED, "99.png", "val, 0 boxes"),
        (Change.REMOVED, "0.png", "train, 1 box"),
        (Change.LABELS, "3.png", "+dent 50, 50, 9 x 9"),
        (Change.SIDE, "11.png", "test to train"),
    ]
    only = inspections.diff(before.id, folder.version.id, Change.LABELS, 0, 100)
    assert (only.total, [one.file_name for one in only.changes]) == (1, ["3.png"])
    assert inspections.diff(before.id, before.id, None, 0, 100).total == 0
    with core.database.write() as session:  # as versions were stored before labels had digests
        session.execute(update(ImageRow).where(ImageRow.dataset == before.id).values(labels=None))
    assert inspections.diff(before.id, folder.version.id, None, 0, 100) == diff


def test_labels_have_one_digest_however_they_are_written() -> None:
    person = LabelSource(kind=LabelKind.PERSON, by="ann")
    one, other = Box(label="dent", x=1, y=2.5, width=0.0, height=4), Box(label="rust", x=-0.0, y=2, width=3, height=4)
    image = ImageRecord(digest="", file_name="a.png", width=9, height=9, split=Split.TRAIN, boxes=(one, other))
    assert labels_digest(image) == "7df52ffd72d1cd96a6356b452ff87383"
    turned = replace(image, boxes=(replace(other, x=0), replace(one, x=1.0)), group="7", split=Split.TEST)
    assert labels_digest(turned) == labels_digest(image)
    for changed in (replace(one, y=2.6), replace(one, label="rust"), replace(one, source=person)):
        assert labels_digest(replace(image, boxes=(changed, other))) != labels_digest(image)


def test_images_are_found_by_class_group_and_source(folder: Any, make: Make, core: Core) -> None:
    rust = make("boxed")(3, 50, 50, 9, 9, category_id=2, source={"kind": "model", "by": "tags", "version": "1"})
    write(folder, make, [rust], classes=2)
    version, service = folder(), DatasetsService(core)

    def names(**wanted: Any) -> list[str]:
        return [image.file_name for image in service.images(version.id, Filters(**wanted), 0, 100).images]

    assert names(label="rust") == names(source=LabelFrom.UNREVIEWED) == ["3.png"]
    assert names(group="tag 1") == ["2.png", "3.png"]
    assert names(group="tag 1", split=Split.TEST) == []
    assert len(names(source=LabelFrom.UNKNOWN)) == COUNT
    with pytest.raises(LinesideError) as caught:
        names(label="nothing")
    assert caught.value.code == "request.not_found"


# --- field sets -------------------------------------------------------------------------------------------------------


@pytest.fixture
def field_sets(core: Core) -> FieldSets:
    return FieldSets(core, DatasetsService(core))


def labelled(folder: Any, make: Make, numbers: range, name: str, **fields: Any) -> Any:
    images = [{"id": n, "file_name": f"{n}.png", "group": f"part {n}"} | fields for n in numbers]
    folder.files = {f"{n}.png": make("picture")(n) for n in numbers}
    folder.files["a.json"] = make("coco")(images, [make("boxed")(n, 10, 10, 20, 20) for n in numbers])
    return folder(name)


def test_a_field_set_grows_and_keeps_what_it_has(folder: Any, make: Make, field_sets: FieldSets, core: Core) -> None:
    labelled(folder, make, range(8), "tags")
    labelled(folder, make, range(100, 104), "week-1", taken_at="2026-11-02T08:00:00Z")
    first = field_sets.grow(FieldRequest(name="tags", sources=("week-1",)))
    assert (first.version.name, first.added, first.version.splits) == (
        "tags-field", 4, {"train": 0, "val": 0, "test": 4},
    )  # fmt: skip
    labelled(folder, make, range(102, 107), "week-2", taken_at="2026-11-09T08:00:00Z")
    second = field_sets.grow(FieldRequest(name="tags", sources=("week-2",)))
    assert (second.added, second.version.images) == (3, 7)
    again = field_sets.grow(FieldRequest(name="tags", sources=("week-1", "week-2")))
    assert (again.created, again.version.id) == (False, second.version.id)
    service = DatasetsService(core)
    assert service.images(first.version.id, Filters(), 0, 10).total == 4  # the version of before is as it was
    times = {image.file_name: image.taken_at for image in service.images("tags-field", Filters(), 0, 10).images}
    assert (times["100.png"], times["106.png"]) == ("2026-11-02T08:00:00Z", "2026-11-09T08:00:00Z")


def test_what_is_trained_on_is_no_field_set_and_what_is_in_it_is_never_trained_on(
    folder: Any, make: Make, field_sets: FieldSets
) -> None:
    labelled(folder, make, range(8), "tags", split="train")
    labelled(folder, make, range(6, 10), "week-1", taken_at="2026-11-02T08:00:00Z", split="test")
    report = field_sets.grow(FieldRequest(name="tags", sources=("week-1",)))
    assert (report.added, report.left_out["in train"]) == (2, 2)
    labelled(folder, make, range(12), "tags", split="train")
    assert {image.file_name: image.split for image in folder.images if image.split is not Split.TRAIN} == {
        "8.png": Split.TEST,
        "9.png": Split.TEST,
    }


def test_what_has_no_time_no_review_or_is_too_old_waits(folder: Any, make: Make, field_sets: FieldSets) -> None:
    labelled(folder, make, range(4), "tags")
    labelled(folder, make, range(100, 103), "undated")
    labelled(folder, make, range(110, 113), "old", taken_at="2025-11-02T08:00:00Z")
    with pytest.raises(LinesideError) as caught:
        field_sets.grow(FieldRequest(name="tags", sources=("undated", "old"), since="2026-01-01T00:00:00Z"))
    assert caught.value.code == "dataset.field_empty"
    assert "3 time unknown, 3 too old" in str(caught.value)
    field_sets.taken_at = lambda digests: dict.fromkeys(digests, "2026-03-01T00:00:00Z")  # they were captures
    report = field_sets.grow(FieldRequest(name="tags", sources=("undated",), since="2026-01-01T00:00:00Z"))
    assert report.added == 3


# --- over HTTP, and on real pictures ----------------------------------------------------------------------------------


def test_over_http(lineside: Running, make: Make) -> None:
    client = Client(lineside.people_url)
    from tests.server.datasets.conftest import Import

    folder = Import(lineside.core)
    write(folder, make, [make("boxed")(3, 50, 50, 2, 20)])
    version = folder("tags")
    assert codes(client.check_dataset("tags")) == {"check.box_tiny": 1}
    assert client.dataset_images(version.id, finding="check.box_tiny").total == 1
    assert client.dataset_stats("tags@latest").dataset == version.id
    assert client.diff_datasets("tags", version.id).total == 0
    with pytest.raises(LinesideError) as caught:
        client.grow_field_set(FieldRequest(name="tags"))
    assert caught.value.code == "dataset.field_empty"


@pytest.mark.real_data
@pytest.mark.sqlite_only
def test_a_leak_planted_among_real_tags_is_found(
    folder: Any, make: Make, metal_tags: Path, inspections: Inspections
) -> None:
    content = json.loads((metal_tags / "annotations.json").read_bytes())
    folder.files = {
        f"images/{image['file_name']}": (metal_tags / "images" / image["file_name"]).read_bytes()
        for image in content["images"]
    }
    folder.files["annotations.json"] = json.dumps(content).encode()
    own = inspections.check(folder().id, JudgedSplit.OWN)
    assert not {code for code in codes(own) if "leak" in code}
    chance = inspections.check(folder.version.id, JudgedSplit.RANDOM)
    assert chance.blocked
    assert codes(chance)["check.leak_group"] >= 10

    tested = next(image for image in content["images"] if image["split"] == "test")
    plant = Image.open(metal_tags / "images" / tested["file_name"]).convert("RGB").crop((6, 4, 446, 298))
    folder.files["images/plant.png"] = make("png")(plant.point(lambda level: int(level * 0.85)))
    content["images"].append({"id": 9999, "file_name": "plant.png", "split": "train", "group": "another tag"})
    folder.files["annotations.json"] = json.dumps(content).encode()
    planted = inspections.check(folder("planted").id, JudgedSplit.OWN)
    assert planted.blocked
    leak = next(finding for finding in planted.findings if finding.code == "check.leak_near_duplicate")
    assert any("plant.png" in example.file_name + example.detail for example in leak.examples)
