"""What a dataset version says survives an export and an import, in every format that has words for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineside.contract.dataset import Box, ImageRecord, ImportRequest, LabelKind, LabelSource, Split
from lineside.contract.dataset_export import ExportListing
from lineside.contract.errors import LinesideError
from lineside.server.datasets.formats import FORMATS
from lineside.server.datasets.service import DatasetsService

Make = Callable[[str], Any]
NAMES = tuple(form.name for form in FORMATS)
pytestmark = pytest.mark.sqlite_only  # writers know of no database, and pages are tested elsewhere
ALL = ("coco", "labelstudio", "sagemaker", "csv")
"""Formats that can say all there is."""


@pytest.fixture
def rich(folder: Any, make: Make) -> Any:
    """A COCO folder with everything a version can hold: sides, groups, odd names, odd numbers, sources, times, a class
    that no box has, an image without boxes."""
    names = ("images/a.png", "images/b c/a.png", "images/b c/a.jpg_0", 'images/ä,"quoted".png', "images/plain")
    for number, name in enumerate(names):
        folder.files[name] = make("picture")(number, 120, 80)
    images = make("listed")(len(names))
    for image, name, side in zip(images, names, ("train", "train", "val", "test", "train"), strict=True):
        image |= {"file_name": name, "split": side, "group": f"tag {max(1, image['id'])}"}
    images[1]["taken_at"] = "2026-11-21T17:00:00Z"
    person = {"kind": "person", "by": "mara", "reviewed": True}
    boxes = [
        make("boxed")(0, 10.123, 20.5, 30.001, 40, source=person),
        make("boxed")(0, 0, 0, 120, 80, category_id=3),
        make("boxed")(
            1, 1.5, 2.25, 99.999, 3.007, category_id=3, source={"kind": "model", "by": "tags", "version": "7"}
        ),
        make("boxed")(3, 33, 7, 11, 13),
    ]
    categories = [{"id": 1, "name": "dent"}, {"id": 2, "name": 'a, "rare" <one>'}, {"id": 3, "name": "0"}]
    folder.files["labels.json"] = make("coco")(images, boxes, categories=categories)
    folder()
    return folder


def exported(folder: Any, form: str) -> ExportListing:
    return DatasetsService(folder.core).export(folder.version.id, form)


def imported_again(folder: Any, listing: ExportListing) -> Any:
    service = DatasetsService(folder.core)
    return service.import_folder(ImportRequest(name="again", files=listing.files))


def test_the_rich_folder_is_rich(rich: Any) -> None:
    assert rich.version.classes == ("dent", 'a, "rare" <one>', "0")
    assert rich.version.warnings == ()
    by_name = {image.file_name: image for image in rich.images}
    assert by_name["images/a.png"].boxes[0].source == LabelSource(kind=LabelKind.PERSON, by="mara", reviewed=True)
    assert by_name["images/b c/a.png"].taken_at == "2026-11-21T17:00:00Z"


@pytest.mark.parametrize("form", ALL)
def test_a_format_with_words_for_all_gives_the_same_version(rich: Any, form: str) -> None:
    listing = exported(rich, form)
    assert listing.warnings == ()
    again = imported_again(rich, listing)
    assert (again.created, again.version.id, again.version.warnings) == (False, rich.version.id, ())


@pytest.mark.parametrize("form", NAMES)
def test_the_same_version_again_is_the_same_listing(rich: Any, form: str) -> None:
    assert exported(rich, form) == exported(rich, form)


@pytest.mark.parametrize("form", ["voc", "yolo", "darknet"])
def test_what_a_format_cannot_say_is_counted_and_nothing_else_is_lost(rich: Any, form: str) -> None:
    listing = exported(rich, form)
    counts = {warning.code: warning.count for warning in listing.warnings}
    changed = {"yolo": {"dataset.name_changed": 1}, "darknet": {"dataset.name_changed": 5}}.get(form, {})
    unsaid = {"dataset.group_unsaid": 5, "dataset.source_unsaid": 2, "dataset.time_unsaid": 1}
    assert counts == unsaid | changed
    again = imported_again(rich, listing)
    images = DatasetsService(rich.core).images(again.version.id, everything(), 0, 100).images
    assert sorted(plain(image) for image in images) == sorted(plain(image) for image in rich.images)
    assert (again.version.format, again.version.classes, again.version.split_by) == (
        form,
        rich.version.classes,
        "given",
    )
    assert again.version.warnings == ()


def everything() -> Any:
    from lineside.server.datasets.store import Filters

    return Filters()


def plain(image: ImageRecord) -> tuple[Any, ...]:
    """What VOC, YOLO and Darknet have words for."""
    boxes = [(box.label, box.x, box.y, box.width, box.height) for box in image.boxes]
    return (image.digest, image.width, image.height, image.split.value, boxes)


@pytest.mark.parametrize("form", ["voc", "yolo"])
def test_a_dataset_that_they_can_say_is_the_same_version(folder: Any, make: Make, form: str) -> None:
    for number, side in enumerate(("train", "val", "test")):
        folder.files[f"images/{side}/a.png"] = make("picture")(number)
        folder.files[f"labels/{side}/a.txt"] = b"1 0.5 0.5 0.31 0.25\n0 0.25 0.25 0.125 0.125\n"
    folder.files["data.yaml"] = b"names: [dent, scratch]\n"
    folder()
    listing = exported(folder, form)
    assert listing.warnings == ()
    assert imported_again(folder, listing).version.id == folder.version.id


def test_a_darknet_folder_is_the_same_version_again(folder: Any, make: Make) -> None:
    for number, side in enumerate(("train", "valid", "test")):
        folder.files[f"obj_{side}_data/a.png"] = make("picture")(number)
        folder.files[f"obj_{side}_data/a.txt"] = b"1 0.5 0.5 0.31 0.25\n0 0.25 0.25 0.125 0.125\n"
        folder.files[f"{side}.txt"] = f"data/obj_{side}_data/a.png\n".encode()
    folder.files["obj.data"] = (
        b"classes = 2\ntrain = train.txt\nvalid = valid.txt\ntest = test.txt\nnames = obj.names\n"
    )
    folder.files["obj.names"] = b"dent\nscratch\n"
    folder()
    assert (folder.version.format, folder.version.split_by) == ("darknet", "given")
    listing = exported(folder, "darknet")
    assert listing.warnings == ()
    assert imported_again(folder, listing).version.id == folder.version.id


@pytest.mark.parametrize("form", NAMES)
def test_an_image_called_like_a_label_file_is_no_trouble(folder: Any, make: Make, form: str) -> None:
    names = ("annotations.json", "labels.csv", "labels.manifest", "tasks.json", "classes.txt", "train.txt")
    for number, name in enumerate(names):
        folder.files[f"{name}"] = make("picture")(number)
    images = [
        image | {"file_name": name, "split": "train"} for image, name in zip(make("listed")(6), names, strict=True)
    ]
    folder.files["a.json"] = make("coco")(images, [make("boxed")(0, 1, 2, 30, 40)])
    folder()
    listing = exported(folder, form)
    assert {image.digest for image in folder.images} <= set(listing.files.values())
    assert imported_again(folder, listing).version.images == 6


def test_two_images_that_yolo_would_label_in_one_file_get_two(folder: Any, make: Make) -> None:
    for number, name in enumerate(("images/a.png", "images/a.jpg", "images/a")):
        folder.files[name] = make("picture")(number)
    images = [image | {"file_name": name} for image, name in zip(make("listed")(3), sorted(folder.files), strict=True)]
    folder.files["a.json"] = make("coco")(images, [make("boxed")(n, 1, 2, 30, 10 + n) for n in range(3)])
    folder()
    listing = exported(folder, "yolo")
    again = imported_again(folder, listing).version
    found = DatasetsService(folder.core).images(again.id, everything(), 0, 9).images
    assert {(image.digest, image.boxes) for image in found} == {(image.digest, image.boxes) for image in folder.images}


def test_a_box_that_voc_cannot_write_is_counted(folder: Any, make: Make) -> None:
    for number in range(3):
        folder.files[f"{number}.png"] = make("picture")(number)
    boxes = [make("boxed")(0, 5, 5, 0.8, 9), make("boxed")(1, 5, 5, 2, 9)]
    folder.files["a.json"] = make("coco")(make("listed")(3), boxes)
    folder()
    listing = exported(folder, "voc")
    assert {warning.code: warning.count for warning in listing.warnings}["dataset.box_unsaid"] == 1
    assert imported_again(folder, listing).version.boxes == 1


@pytest.mark.parametrize("form", ["voc", "yolo", "darknet"])
def test_label_files_are_stored_many_at_a_time(rich: Any, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineside.server.datasets.exporting._AT_ONCE", 3)
    objects, stored = type(rich.core.objects), list[int]()
    put_many = objects.put_many

    def counted(self: Any, blobs: Any) -> int:
        stored.append(put_many(self, blobs))
        return stored[-1]

    monkeypatch.setattr(objects, "put_many", counted)
    monkeypatch.setattr(objects, "put", lambda *_, **__: pytest.fail("a small file was stored on its own"))
    listing = exported(rich, form)
    made = set(listing.files.values()) - {image.digest for image in rich.images}
    assert (max(stored), sum(stored)) == (3, len(made))
    assert all(rich.core.objects.exists(digest) for digest in made)
    stored.clear()
    assert exported(rich, form) == listing
    assert stored == []


def test_a_format_that_is_none_is_refused(rich: Any) -> None:
    with pytest.raises(LinesideError) as caught:
        exported(rich, "xls")
    assert caught.value.code == "dataset.format_unnamed"


def test_boxes_keep_what_they_were(rich: Any) -> None:
    """The measure of all the others: what is compared is what was said."""
    first = next(image for image in rich.images if image.file_name == "images/a.png")
    assert first.split is Split.TRAIN
    assert first.boxes[1] == Box(label="0", x=0, y=0, width=120, height=80)


@pytest.mark.real_data
def test_real_tags_survive_every_format(folder: Any, metal_tags: Path) -> None:
    for file in metal_tags.rglob("*"):
        if file.is_file() and "inbox" not in file.parts and file.suffix != ".csv":
            folder.files[file.relative_to(metal_tags).as_posix()] = file.read_bytes()
    folder()
    for form in NAMES:
        again = imported_again(folder, exported(folder, form)).version
        assert (again.images, again.boxes, again.splits) == (176, 345, folder.version.splits), form
        assert again.warnings == (), form
        assert (again.id == folder.version.id) == (form in ALL), form
