"""Bad data: one clear error or one counted warning each, nothing half-imported. The table is in docs/datasets.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import MEANINGS
from lineside.server.datasets.service import DatasetsService
from lineside.server.services import Core

Make = Callable[[str], Any]
COUNT = 8


@pytest.fixture
def good(folder: Any, make: Make) -> Any:
    """Eight images of a COCO folder; a test spoils one thing."""
    for n in range(COUNT):
        folder.files[f"images/{n}.png"] = make("picture")(n)
    folder.files["a.json"] = make("coco")(make("listed")(COUNT), [make("boxed")(n, 1, 1, 9, 9) for n in range(COUNT)])
    return folder


def refused(folder: Any) -> LinesideError:
    with pytest.raises(LinesideError) as caught:
        folder()
    assert DatasetsService(folder.core).versions().total == 0
    return caught.value


def test_the_good_folder_is_good(good: Any) -> None:
    assert good().warnings == ()
    assert good.version.boxes == COUNT


@pytest.mark.parametrize("broken", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", None])
def test_a_corrupt_image_is_left_out(good: Any, broken: bytes | None) -> None:
    good.files["images/3.png"] = broken if broken is not None else good.files["images/3.png"][:-300]
    assert good().images == COUNT - 1
    assert good.warned() == {"dataset.image_unreadable": 1}
    assert good.version.warnings[0].examples == ("images/3.png",)


@pytest.mark.parametrize(
    ("bbox", "code", "boxes"),
    [
        ((110, 70, 30, 30), "dataset.box_clipped", COUNT),
        ((-5, -5, 300, 300), "dataset.box_clipped", COUNT),
        ((200, 10, 10, 10), "dataset.box_outside", COUNT - 1),
        ((10, 10, 0, 10), "dataset.box_empty", COUNT - 1),
        ((10, 10, 5, -1), "dataset.box_empty", COUNT - 1),
        ((10, 10, "5", 5), "dataset.box_invalid", COUNT - 1),
        ((10, 10, None, 5), "dataset.box_invalid", COUNT - 1),
        ((10, 10, 5), "dataset.box_invalid", COUNT - 1),
        ((1e300, 10, 5, 5), "dataset.box_invalid", COUNT - 1),
    ],
)
def test_a_bad_box_is_counted(good: Any, make: Make, bbox: Any, code: str, boxes: int) -> None:
    annotations = [make("boxed")(n, 1, 1, 9, 9) for n in range(1, COUNT)] + [make("boxed")(0, *bbox)]
    good.files["a.json"] = make("coco")(make("listed")(COUNT), annotations)
    assert good().boxes == boxes
    assert good.warned() == {code: 1}
    for image in good.images:
        for box in image.boxes:
            assert box.x >= 0
            assert box.y >= 0
            assert box.x + box.width <= image.width
            assert box.y + box.height <= image.height


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"category_id": 99}, "dataset.class_unknown"),
        ({"category_id": None}, "dataset.class_unknown"),
        ({"image_id": 4711}, "dataset.annotation_orphan"),
        ({"iscrowd": 1}, "dataset.box_crowd"),
    ],
)
def test_a_bad_annotation_is_counted(good: Any, make: Make, change: dict[str, Any], code: str) -> None:
    annotations = [make("boxed")(n, 1, 1, 9, 9) for n in range(COUNT)]
    annotations[2] |= change
    good.files["a.json"] = make("coco")(make("listed")(COUNT), annotations)
    assert good().boxes == COUNT - 1
    assert good.warned() == {code: 1}


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"file_name": "gone.png"}, "dataset.image_missing"),
        ({"file_name": "../0.png"}, "dataset.image_path_refused"),
        ({"file_name": "/etc/passwd"}, "dataset.image_path_refused"),
        ({"file_name": "C:\\data\\0.png"}, "dataset.image_path_refused"),
        ({"width": 80, "height": 120}, "dataset.size_differs"),
    ],
)
def test_a_bad_image_entry_leaves_that_image_out(good: Any, make: Make, entry: dict[str, Any], code: str) -> None:
    images = make("listed")(COUNT)
    images[0] |= entry
    del good.files["images/0.png"]
    if code == "dataset.size_differs":
        good.files["images/0.png"] = make("picture")(0)
    good.files["a.json"] = make("coco")(images, [])
    assert good().images == COUNT - 1
    assert good.warned() == {code: 1}


@pytest.mark.parametrize("size", [b"1e999", b"-1e999", b"1e300", b"0", b"0.5"])
def test_a_size_that_is_none_is_not_believed(good: Any, size: bytes) -> None:
    good.files["a.json"] = good.files["a.json"].replace(b'"width": 120', b'"width": ' + size)
    assert (good().images, good.warned()) == (COUNT, {})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"images": [], "annotations": [', "a.json, line 1"),
        (b'{"images": [],\n "annotations": [],\n "categories": [{]}', "a.json, line 3"),
        (b'{"images": [],\n "annotations": [], "categories": [{"id": 1, "name": "\xff"}]}', "line 2"),
        ('{"images": [], "annotations": [], "categories": []}'.encode("utf-16"), "not UTF-8"),
        (b'{"images": {}, "annotations": [], "categories": []}', "$.images"),
        (b'{"images": [], "annotations": []}', "categories"),
        (b'{"images": [{"id": 1}], "annotations": [], "categories": []}', "file_name"),
        (b'{"images": [], "annotations": [NaN], "categories": []}', "NaN"),
        (b'{"images": [], "annotations": ' + b"[" * 100_000 + b', "categories": []}', "a.json"),
        (b'{"images": [], "annotations": [], "categories": [{"id": 1, "name": " "}]}', "no name"),
        (b'{"images":[],"annotations":[],"categories":[{"id":1,"name":"a"},{"id":1,"name":"b"}]}', "two categories"),
    ],
)
def test_an_annotation_file_that_cannot_be_trusted_is_refused(good: Any, data: bytes, says: str) -> None:
    good.files["a.json"] = data
    error = refused(good)
    assert error.code == "dataset.file_unreadable"
    assert says in error.message


def test_two_images_of_one_id_are_refused(good: Any, make: Make) -> None:
    good.files["a.json"] = make("coco")(make("listed")(COUNT) + make("listed")(1), [])
    assert "id 0" in refused(good).message


def test_an_image_listed_twice_is_refused(good: Any, make: Make) -> None:
    images = [*make("listed")(COUNT), {"id": 99, "file_name": "images/0.png"}]
    good.files["a.json"] = make("coco")(images, [])
    assert refused(good).code == "dataset.listed_twice"


def test_a_name_that_two_folders_have_is_refused(good: Any, make: Make) -> None:
    good.files["x/gone.png"] = good.files["y/gone.png"] = make("picture")(99)
    images = [*make("listed")(COUNT), {"id": 99, "file_name": "gone.png"}]
    good.files["a.json"] = make("coco")(images, [])
    error = refused(good)
    assert error.code == "dataset.name_ambiguous"
    assert "x/gone.png" in error.message
    assert "y/gone.png" in error.message


def test_names_that_differ_in_case_only_are_refused(good: Any) -> None:
    good.files["images/A.png"] = good.files["images/a.png"] = good.files["images/0.png"]
    assert refused(good).code == "dataset.same_name"


@pytest.mark.parametrize("file", ["images", "Images", "images/0.png/deep/1.png"])
def test_a_file_that_is_a_folder_too_is_refused(good: Any, file: str) -> None:
    good.files["image"] = good.files["images.png"] = b"another"
    good.files[file] = b"x"
    assert refused(good).code == "dataset.same_name"


@pytest.mark.parametrize(
    "path",
    [
        "../a.png",
        "/a.png",
        "x/../../a.png",
        "C:/a.png",
        "x\\a.png",
        "a\0.png",
        "",
        "x/",
        "x//a.png",
        "./a.png",
        "x/./a.png",
        ".",
    ],
)
def test_a_path_out_of_the_folder_is_refused(good: Any, path: str) -> None:
    good.files[path] = b"x"
    assert refused(good).code == "dataset.path_refused"


def test_half_the_images_bad_is_a_warning_more_is_an_error(good: Any) -> None:
    for n in range(COUNT // 2):
        good.files[f"images/{n}.png"] = b"no picture"
    assert good().images == COUNT // 2
    good.files["images/7.png"] = b"no picture"
    with pytest.raises(LinesideError) as caught:
        good()
    assert caught.value.code == "dataset.mostly_bad"
    assert "5 dataset.image_unreadable" in caught.value.message
    assert DatasetsService(good.core).versions().total == 1


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "dataset.empty"),
        ({"readme.md": b"hello"}, "dataset.format_unknown"),
        ({"a.json": b'{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}'}, "dataset.empty"),
        ({"data.yaml": b"names: [a]"}, "dataset.empty"),
    ],
)
def test_a_folder_with_nothing_in_it_is_refused(folder: Any, files: dict[str, bytes], code: str) -> None:
    folder.files = files
    assert refused(folder).code == code


def test_files_that_were_not_sent_are_asked_for(core: Core) -> None:
    from lineside.contract.dataset import ImportRequest

    with pytest.raises(LinesideError) as caught:
        DatasetsService(core).import_folder(ImportRequest(name="x", files={"a.json": "sha256:" + 64 * "0"}))
    assert caught.value.code == "dataset.blob_missing"


# --- YOLO -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def yolo(folder: Any, make: Make) -> Any:
    for n in range(COUNT):
        folder.files[f"images/{n}.png"] = make("picture")(n)
        folder.files[f"labels/{n}.txt"] = b"0 0.5 0.5 0.2 0.2\n"
    folder.files["data.yaml"] = b"names: {0: dent}\n"
    return folder


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"1 0.5 0.5 0.2 0.2", "dataset.class_unknown"),
        (b"-1 0.5 0.5 0.2 0.2", "dataset.class_unknown"),
        (b"dent 0.5 0.5 0.2 0.2", "dataset.box_invalid"),
        (b"0 0.5 0.5 0.2", "dataset.box_invalid"),
        (b"0 nan 0.5 0.2 0.2", "dataset.box_invalid"),
        (b"0 0.5 0.5 0 0.2", "dataset.box_empty"),
        (b"0 5 0.5 0.2 0.2", "dataset.box_outside"),
    ],
)
def test_a_bad_yolo_line_is_counted(yolo: Any, line: bytes, code: str) -> None:
    yolo.files["labels/0.txt"] = line
    assert yolo().boxes == COUNT - 1
    assert yolo.warned() == {code: 1}


def test_yolo_labels_that_are_not_utf8_leave_their_image_out(yolo: Any) -> None:
    yolo.files["labels/0.txt"] = b"0 0.5 0.5 0.2 0.2\n\xff\xfe"
    assert yolo().images == COUNT - 1
    assert yolo.warned() == {"dataset.label_unreadable": 1}
    assert "labels/0.txt, line 2" in yolo.version.warnings[0].examples[0]


def test_a_yolo_label_without_image_is_counted(yolo: Any) -> None:
    yolo.files["labels/gone.txt"] = b"0 0.5 0.5 0.2 0.2\n"
    assert yolo().images == COUNT
    assert yolo.warned() == {"dataset.image_missing": 1}


def test_a_yolo_label_for_two_images_is_refused(yolo: Any, make: Make) -> None:
    yolo.files["images/0.bmp"] = make("picture")(99)
    assert refused(yolo).code == "dataset.name_ambiguous"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"names: [a\n", "data.yaml"),
        (b"names: [a, a]\n", "differ"),
        (b"names: {0: a, 2: b}\n", "without a gap"),
        (b"names: 7\n", "`names`"),
        (b"names: &a [x]\nmore: [*a, *a]\n", "line 2"),
        (b"names: !!python/object/apply:os.system ['true']\n", "line 1"),
        (b"names: [\xff]\n", "UTF-8"),
    ],
)
def test_a_yaml_file_that_cannot_be_trusted_is_refused(yolo: Any, data: bytes, says: str) -> None:
    yolo.files["data.yaml"] = data
    error = refused(yolo)
    assert error.code == "dataset.file_unreadable"
    assert says in error.message


# --- Pascal VOC -------------------------------------------------------------------------------------------------------

GOOD = (
    "<annotation><filename>{n}.png</filename><object><name>dent</name><bndbox>"
    "<xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>20</ymax></bndbox></object></annotation>"
)
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><annotation><filename>&b;</filename></annotation>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation><filename>&a;</filename></annotation>'


@pytest.fixture
def voc(folder: Any, make: Make) -> Any:
    for n in range(COUNT):
        folder.files[f"JPEGImages/{n}.png"] = make("picture")(n)
        folder.files[f"Annotations/{n}.xml"] = GOOD.format(n=n).encode()
    return folder


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (GOOD[:40], "dataset.label_unreadable"),
        (LAUGHS, "dataset.label_unreadable"),
        (OUTSIDE, "dataset.label_unreadable"),
        (GOOD.replace("{n}", "gone"), "dataset.image_missing"),
        (GOOD.replace("{n}", "../0"), "dataset.image_path_refused"),
    ],
)
def test_a_bad_voc_file_leaves_its_image_out(voc: Any, xml: str, code: str) -> None:
    voc.files["Annotations/0.xml"] = xml.encode()
    assert voc().images == COUNT - 1
    assert voc.warned()[code] == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("<xmin>1<", "<xmin>one<"), "dataset.box_invalid"),
        (("<xmin>1</xmin>", ""), "dataset.box_invalid"),
        (("<xmax>20<", "<xmax>1<"), "dataset.box_empty"),
        (("<name>dent</name>", ""), "dataset.class_unknown"),
    ],
)
def test_a_bad_voc_box_is_counted(voc: Any, change: tuple[str, str], code: str) -> None:
    voc.files["Annotations/0.xml"] = GOOD.format(n=0).replace(*change).encode()
    assert voc().boxes == COUNT - 1
    assert voc.warned() == {code: 1}


def test_every_warning_is_documented() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text()
    assert [code for code in MEANINGS if f"`{code}`" not in page] == []
