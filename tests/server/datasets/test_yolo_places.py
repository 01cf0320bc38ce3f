"""YOLO folders as people have them: labels beside or below images, and `data.yaml` with any machine's paths."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lineside.contract.dataset import Split
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import recognise
from lineside.server.datasets.formats.folder import Folder
from lineside.server.datasets.formats.writer import Taken
from tests.server.datasets.conftest import picture

PICTURE = picture(1)
LABEL = b"0 0.5 0.5 0.2 0.2\n"
NAMES = b"names: [dent]\n"
TWO = ("images/one/a.png", "images/one/b.png", "images/two/a.png")


def read(files: Mapping[str, bytes]) -> tuple[dict[str, tuple[int, Split | None]], Warnings]:
    """Boxes and side of each image, and what was counted."""
    folder, warnings = Folder(dict.fromkeys(files, ""), lambda path: [files[path]]), Warnings()
    form = recognise(folder, warnings)
    assert form.name == "yolo"
    found = {image.path: (len(image.boxes), image.split) for image in form.read(folder, warnings).images}
    return found, warnings


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/a.png", "labels/a.txt"),
        ("images/train/a.png", "labels/train/a.txt"),
        ("train/images/a.png", "train/labels/a.txt"),
        ("set/train/images/x/a.png", "set/train/labels/x/a.txt"),
        ("images/a.png", "images/labels/a.txt"),
        ("images/train/a.png", "images/labels/train/a.txt"),
        ("images/train/a.png", "images/train/labels/a.txt"),
        ("Images/a.png", "Labels/a.TXT"),
        ("images/a.b.PNG", "images/labels/a.b.txt"),
    ],
)
def test_a_label_file_is_its_image_s(image: str, label: str) -> None:
    found, warnings = read({image: PICTURE, label: LABEL, "data.yaml": NAMES})
    assert found == {image: (1, Split.TRAIN if "train" in image else None)}
    assert warnings.counted() == ()


def test_of_two_label_files_of_one_image_one_is_read_and_the_other_counted() -> None:
    found, warnings = read({"images/a.png": PICTURE, "labels/a.txt": LABEL, "images/labels/a.txt": b""})
    assert found == {"images/a.png": (0, None)}
    assert [one.code for one in warnings.counted()] == ["dataset.other_labels"]


@pytest.mark.parametrize(
    "description",
    [
        b"train: images/one\nval: images/two\n",
        b"train: ./images/one/\nval: [images/two]\n",
        b"path: ../datasets/tags\ntrain: images/one\nval: images/two\n",
        b"path: tags\ntrain: images/one\nvalid: images/two\n",
        b"train: ../images/one\nval: ../images/two\n",
        b"train: /content/tags/images/one\nval: /content/tags/images/two\n",
        rb"train: C:\data\tags\images\one" + b"\n" + rb"val: D:\data\tags\images\two" + b"\n",
        rb"path: C:\data\tags" + b"\n" + rb"train: images\one" + b"\n" + rb"val: images\two" + b"\n",
        b"train: lists/one.txt\nval: lists/two.txt\n",
        b"train: /home/me/tags/lists/one.txt\nval: lists\\two.txt\n",
    ],
)
@pytest.mark.parametrize("home", ["", "tags/"])
def test_sides_are_those_of_data_yaml(description: bytes, home: str) -> None:
    files = {home + path: PICTURE for path in TWO}
    files |= {f"{home}labels/{path[7:-3]}txt": LABEL for path in TWO}
    files[f"{home}lists/one.txt"] = b"/home/me/tags/images/one/a.png\r\nC:\\tags\\images\\one\\b.png\r\n"
    files[f"{home}lists/two.txt"] = b"./images/two/a.png\n\n"
    files[f"{home}data.yaml"] = NAMES + description
    found, warnings = read(files)
    assert found == {home + path: (1, Split.TRAIN if "one" in path else Split.VAL) for path in TWO}
    assert warnings.counted() == ()


@pytest.mark.parametrize(
    "description", [b"train: images\nval: images\n", b"train: elsewhere\nval: gone.txt\n", b"train: 7\nval: {}\n", b""]
)
def test_what_data_yaml_does_not_tell_apart_folders_do(description: bytes) -> None:
    files = {f"images/{side}/a.png": PICTURE for side in ("train", "valid")}
    found, _ = read(files | {"data.yaml": NAMES + description})
    assert found == {"images/train/a.png": (0, Split.TRAIN), "images/valid/a.png": (0, Split.VAL)}


def test_the_innermost_folder_that_data_yaml_names_counts() -> None:
    files = dict.fromkeys(TWO, PICTURE)
    found, _ = read(files | {"data.yaml": NAMES + b"train: images\ntest: images/two\n"})
    assert {path: side for path, (_, side) in found.items()} == {
        path: Split.TRAIN if "one" in path else Split.TEST for path in TWO
    }


def test_a_name_that_two_folders_have_says_nothing() -> None:
    files = {f"{where}/images/a.png": PICTURE for where in ("one", "two")}
    found, _ = read(files | {"data.yaml": NAMES + b"train: images\n"})
    assert {side for _, side in found.values()} == {None}


@pytest.mark.parametrize(
    ("there", "wanted", "free"),
    [
        ((), "a/b.png", "a/b.png"),
        (("A/B.png",), "a/b.png", "a/b-1.png"),
        (("a/b.png", "a/b-1.png"), "a/b.png", "a/b-2.png"),
        (("a",), "a/b.png", "a-1/b.png"),
        (("a/b.png/c",), "a/b.png", "a/b-1.png"),
        (("a", "a-1"), "a/b/c", "a-2/b/c"),
    ],
)
def test_a_path_is_free_where_all_can_lie_in_one_folder(there: tuple[str, ...], wanted: str, free: str) -> None:
    assert Taken(there).free(wanted) == free
    Folder(dict.fromkeys((*there, free), ""), lambda path: [])
