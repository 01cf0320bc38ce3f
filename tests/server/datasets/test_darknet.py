"""YOLO 1.1 as CVAT writes it, and Darknet folders of a training machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.contract.dataset import Split
from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import FORMATS, recognise
from lineside.server.datasets.formats.folder import Folder
from tests.server.datasets.conftest import picture

Make = Callable[[str], Any]
pytestmark = pytest.mark.sqlite_only  # readers know of no database

CVAT = {
    "obj.data": b"classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
    "obj.names": b"dent\nscratch\n",
    "train.txt": b"data/obj_train_data/a.png\ndata/obj_train_data/line 1/b.png\ndata/obj_train_data/c.png\n",
    "obj_train_data/a.txt": b"0 0.500000 0.500000 0.250000 0.500000\n1 0.25 0.25 0.1 0.1\n",
    "obj_train_data/line 1/b.txt": b"",
    "obj_train_data/c.txt": b"1 0.5 0.5 0.5 0.5\n",
}
PICTURES = {f"obj_train_data/{name}.png": picture(n) for n, name in enumerate(("a", "line 1/b", "c"))}


def read(files: dict[str, bytes]) -> tuple[Any, dict[str, int]]:
    folder = Folder(dict.fromkeys(files, ""), lambda path: [files[path]])
    warnings = Warnings()
    found = recognise(folder, warnings).read(folder, warnings)
    return found, {one.code: one.count for one in warnings.counted()}


def test_what_cvat_exports_is_a_version(folder: Any) -> None:
    folder.files |= CVAT | PICTURES
    version = folder()
    assert (version.format, version.classes, version.images, version.boxes) == ("darknet", ("dent", "scratch"), 3, 3)
    assert version.warnings == ()
    assert version.split_by != "given"  # CVAT calls a list train where nobody has named a side
    first = next(image for image in folder.images if image.file_name.endswith("a.png"))
    assert (first.boxes[0].label, first.boxes[0].x, first.boxes[0].y) == ("dent", 45, 20)


@pytest.mark.parametrize("place", ["images/{}", "{}", "a/b/{}"])
def test_labels_that_were_exported_alone_find_their_pictures(place: str) -> None:
    files = CVAT | {place.format(path.removeprefix("obj_train_data/")): data for path, data in PICTURES.items()}
    found, counted = read(files)
    assert ([len(image.boxes) for image in found.images], counted) == ([2, 0, 1], {})


def test_lists_of_a_training_machine_are_found_by_how_they_end() -> None:
    files = {
        "cfg/plates.data": b"train = /home/me/plates/train.txt\nvalid=C:/plates/val.txt\nnames=/x/plates.names\n",
        "cfg/plates.names": b"dent\n\n",
        "plates/train.txt": b"/home/me/plates/img/a.png\r\n\r\n",
        "plates/val.txt": b"C:\\plates\\img\\b.png\n",
        "plates/img/a.png": picture(1),
        "plates/img/b.png": picture(2),
        "plates/img/a.txt": b"0 0.5 0.5 0.5 0.5",
        "plates/img/b.txt": b"0 0.5 0.5 0.5 0.5\n",
    }
    found, counted = read(files)
    assert counted == {}
    assert {image.path: image.split for image in found.images} == {
        "plates/img/a.png": Split.TRAIN,
        "plates/img/b.png": Split.VAL,
    }


@pytest.mark.parametrize(
    ("changed", "counted", "images"),
    [
        ({"obj_train_data/c.txt": None}, {"dataset.image_pending": 1}, 2),
        ({"obj_train_data/c.png": None}, {"dataset.image_missing": 1}, 2),
        ({"obj_train_data/c.txt": b"\xff"}, {"dataset.label_unreadable": 1}, 2),
        ({"obj_train_data/c.txt": b"1 0.5 nan 0.5 0.5\n1 x\n1 1e300 0.5 0.5 0.5\n"}, {"dataset.box_invalid": 3}, 3),
        ({"obj_train_data/c.txt": b"2 0.5 0.5 0.5 0.5\n-1 0.5 0.5 0.5 0.5\n"}, {"dataset.class_unknown": 2}, 3),
        ({"train.txt": b"../../etc/passwd\nobj_train_data/a.png\n"}, {"dataset.image_path_refused": 1}, 1),
        ({"train.txt": b"obj_train_data/a.png\n" + b"x" * 5000}, {"dataset.image_path_refused": 1}, 1),
    ],
)
def test_what_is_wrong_with_one_image_is_counted(
    changed: dict[str, bytes | None], counted: dict[str, int], images: int
) -> None:
    files = {path: data for path, data in (CVAT | PICTURES | changed).items() if data is not None}
    found, told = read(files)
    assert (told, len(found.images)) == (counted, images)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"obj.names": None}, "dataset.file_unreadable"),
        ({"obj.names": b"dent\ndent\n"}, "dataset.file_unreadable"),
        ({"obj.names": b"dent\n\nscratch\n"}, "dataset.file_unreadable"),
        ({"obj.names": b"\xff\xfe"}, "dataset.file_unreadable"),
        ({"obj.data": b"names = obj.names\n" + b"#" * (5 << 20)}, "dataset.file_too_large"),
        ({"train.txt": None}, "dataset.file_unreadable"),
        ({"train.txt": b"\xff\n"}, "dataset.file_unreadable"),
        ({"train.txt": b"obj_train_data/a.png\n" * 2}, "dataset.listed_twice"),
    ],
)
def test_what_cannot_be_trusted_as_a_whole_is_refused(changed: dict[str, bytes | None], code: str) -> None:
    with pytest.raises(LinesideError, match=f"^{code}:"):
        read({path: data for path, data in (CVAT | PICTURES | changed).items() if data is not None})


def test_a_yolo_folder_stays_one_though_class_names_lie_in_obj_names() -> None:
    files = {"images/a.png": picture(1), "labels/a.txt": b"0 0.5 0.5 0.5 0.5\n", "obj.names": b"dent\n"}
    folder = Folder(dict.fromkeys(files, ""), lambda path: [files[path]])
    assert [form.name for form in FORMATS if form.recognises(folder)] == ["yolo"]


_TEXT = st.sampled_from(sorted(path for path in CVAT))


@settings(max_examples=150, deadline=None)
@given(
    spoilt=st.lists(st.tuples(_TEXT, st.integers(0, 90), st.sampled_from(list("=/\\\0\n\r9.e -#:é"))), max_size=6),
    gone=st.sets(_TEXT | st.sampled_from(sorted(PICTURES)), max_size=2),
)
def test_a_spoilt_folder_is_read_or_refused(spoilt: list[tuple[str, int, str]], gone: set[str]) -> None:
    files = CVAT | PICTURES
    for path, at, letter in spoilt:
        data = bytearray(files[path] or b"\n")
        data[at % len(data) : at % len(data) + 1] = letter.encode()
        files[path] = bytes(data)
    files = {path: data for path, data in files.items() if path not in gone}
    with contextlib.suppress(LinesideError):
        found, _ = read(files)
        assert {image.path for image in found.images} <= set(files)
