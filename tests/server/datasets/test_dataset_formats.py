"""The three formats, each read from a folder as people have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lineside.contract.dataset import Box, Split

Make = Callable[[str], Any]


def fill(folder: Any, make: Make, count: int = 6, prefix: str = "") -> None:
    for n in range(count):
        folder.files[f"{prefix}{n}.png"] = make("picture")(n)


def test_coco_with_classes_groups_and_its_own_split(folder: Any, make: Make) -> None:
    fill(folder, make, 3, "images/")
    images = make("listed")(3)
    for image, split in zip(images, ("train", "val", "test"), strict=True):
        image |= {"split": split, "group": 7 + image["id"]}
    boxes = [make("boxed")(0, 10, 20, 30, 40), make("boxed")(0, 1, 2, 3, 4)]
    folder.files["annotations.json"] = make("coco")(images, boxes, info={"origin": "rendered"})
    version = folder()
    assert (version.format, version.origin, version.split_by) == ("coco", "rendered", "given")
    assert (version.images, version.boxes, version.groups) == (3, 2, 3)
    assert version.splits == {"train": 1, "val": 1, "test": 1}
    assert version.warnings == ()
    first = folder.images[0]
    assert (first.file_name, first.width, first.height, first.group) == ("images/0.png", 120, 80, "7")
    assert first.boxes[0] == Box(label="dent", x=10, y=20, width=30, height=40)


def test_coco_in_a_file_for_each_side(folder: Any, make: Make) -> None:
    for n, side in enumerate(("train2017", "val2017", "test2017")):
        folder.files[f"{side}/0.png"] = make("picture")(n)  # one name on all sides
        folder.files[f"annotations/instances_{side}.json"] = make("coco")(make("listed")(1), [])
    version = folder()
    assert version.split_by == "given"
    assert {image.file_name: image.split for image in folder.images} == {
        "test2017/0.png": Split.TEST,
        "train2017/0.png": Split.TRAIN,
        "val2017/0.png": Split.VAL,
    }


def test_yolo_with_names_and_folders_for_the_sides(folder: Any, make: Make) -> None:
    for n, side in enumerate(("train", "valid", "test")):
        folder.files[f"{side}/images/a.png"] = make("picture")(n)
        folder.files[f"{side}/labels/a.txt"] = b"1 0.5 0.5 0.5 0.25\n"
    folder.files["data.yaml"] = b"train: ../train/images\nnames: [dent, scratch]\n"
    version = folder()
    assert (version.format, version.split_by, version.classes) == ("yolo", "given", ("dent", "scratch"))
    assert folder.images[0].boxes == (Box(label="scratch", x=30, y=30, width=60, height=20),)


def test_yolo_without_names_numbers_its_classes(folder: Any, make: Make) -> None:
    fill(folder, make, 4, "images/")
    folder.files["labels/0.txt"] = b"2 0.5 0.5 0.1 0.1 0.93\n"  # with a confidence
    folder.files["labels/1.txt"] = b"0 0.1 0.1 0.3 0.1 0.3 0.4\n"  # a polygon
    folder.files["labels/2.txt"] = b""
    version = folder()
    assert version.classes == ("0", "1", "2")
    assert folder.images[1].boxes == (Box(label="0", x=12, y=8, width=24, height=24),)
    assert folder.warned() == {"dataset.image_unlabelled": 1}


def voc(name: str, *objects: str, size: str = "<width>120</width><height>80</height>") -> bytes:
    body = "".join(f"<object><name>dent</name><bndbox>{box}</bndbox></object>" for box in objects)
    return f"<annotation><filename>{name}</filename><size>{size}</size>{body}</annotation>".encode()


def corners(*values: float) -> str:
    keys = ("xmin", "ymin", "xmax", "ymax")
    return "".join(f"<{key}>{value}</{key}>" for key, value in zip(keys, values, strict=True))


def test_voc_with_corners_from_one(folder: Any, make: Make) -> None:
    fill(folder, make, 3, "JPEGImages/")
    for n in range(3):
        folder.files[f"Annotations/{n}.xml"] = voc(f"{n}.png", corners(1, 1, 120, 80))
    for n, side in enumerate(("train", "val", "test")):
        folder.files[f"ImageSets/Main/{side}.txt"] = f"{n}\n".encode()
        folder.files[f"ImageSets/Main/dent_{side}.txt"] = b"0 1\n1 -1\n2 -1\n"
    version = folder()
    assert (version.format, version.split_by, version.classes) == ("voc", "given", ("dent",))
    assert folder.images[0].boxes == (Box(label="dent", x=0, y=0, width=120, height=80),)
    assert [image.split for image in folder.images] == [Split.TRAIN, Split.VAL, Split.TEST]


def test_a_second_format_is_mentioned(folder: Any, make: Make) -> None:
    fill(folder, make, 3, "images/")
    folder.files["a.json"] = make("coco")(make("listed")(3), [])
    folder.files["labels/0.txt"] = b"0 0.5 0.5 0.1 0.1"
    assert folder().format == "coco"
    assert folder.warned()["dataset.other_format"] == 1


@pytest.mark.parametrize("orientation", [1, 6])
def test_size_is_taken_after_exif_rotation(folder: Any, make: Make, orientation: int) -> None:
    import io

    for n in range(3):
        image, stream = make("surface")(n), io.BytesIO()
        exif = image.getexif()
        exif[0x0112] = orientation
        image.save(stream, "JPEG", exif=exif)
        folder.files[f"{n}.png"] = stream.getvalue()  # the name lies; the content counts
    images = [{"id": n, "file_name": f"{n}.png"} for n in range(3)]
    folder.files["a.json"] = make("coco")(images, [make("boxed")(0, 0, 0, 10, 100)])
    folder()
    upright = orientation == 1
    assert (folder.images[0].width, folder.images[0].height) == ((120, 80) if upright else (80, 120))
    assert folder.images[0].boxes[0].height == (80 if upright else 100)
