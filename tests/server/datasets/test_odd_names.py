"""Images may be called anything that a folder can hold: what is written reads back, in every format."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lineside.contract.dataset import Box, ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import FORMATS, recognise
from lineside.server.datasets.formats.folder import Folder
from lineside.server.datasets.formats.reader import LabelledImage, Reading
from lineside.server.datasets.formats.writer import Export, Stored
from tests.server.datasets.conftest import picture

PICTURE = picture(1)
ODD = (
    *("a.png", "a.PNG", "a.jpg", "a", "a.jpg.png", "A.png", "a-1.png", "b c.png", " a.png", "a.png ", "b  c", ".a.png"),
    *("-a.png", "--help", "..png", "...png", "ü.png", "u\u0308.png", "日本.jpg", "a,b.png", 'a"b.png', "a'b.png"),
    *(
        "a;b",
        "a\tb.png",
        "a%20b.png",
        "a+b.png",
        "a#b?c&d.png",
        "a:b.png",
        "classes.txt",
        "annotations.json",
        "1",
        "-1",
    ),
    *(
        "labels.csv",
        "train.txt",
        "data.yaml",
        "tasks.json",
        "labels.manifest",
        "label_config.xml",
        "<a>&.png",
        "a\u2028b",
    ),
)
FOLDERS = (
    "",
    "images",
    "Images",
    "labels",
    "images/labels",
    "train",
    "Annotations",
    "ImageSets/Main",
    "x y",
    ".x",
    "-x",
    "ä/b",
)
NAMES = st.builds(
    lambda folder, name: f"{folder}/{name}".lstrip("/"),
    st.sampled_from(FOLDERS),
    st.sampled_from(ODD) | st.text("ab.- _,'\"%é", min_size=1, max_size=6),
)


def is_fine(name: str) -> bool:
    """Whether an import takes the path."""
    try:
        Folder({name: ""}, lambda path: [])
    except LinesideError:
        return False
    return True


def are_fine(names: list[str]) -> bool:
    try:
        Folder(dict.fromkeys(names, ""), lambda path: [])
    except LinesideError:
        return False
    return True


@st.composite
def versions(draw: st.DrawFn) -> list[ImageRecord]:
    """Images with odd names, of two classes, on any side."""
    names = draw(st.lists(NAMES.filter(is_fine), min_size=1, max_size=6, unique=True).filter(are_fine))
    return [record(name, number, draw(st.sampled_from(Split))) for number, name in enumerate(sorted(names))]


def record(name: str, number: int, side: Split) -> ImageRecord:
    box = Box(label="two words" if number % 2 else "dent", x=number, y=2, width=40, height=30)
    return ImageRecord(
        digest=digest_of(name.encode()), file_name=name, width=120, height=80, split=side, boxes=(box,) * (number < 4)
    )


def folder_of(form: str, images: list[ImageRecord]) -> tuple[Folder, dict[str, str], Warnings]:
    """What an export wrote, the name in it of each image, and what it counted."""
    export = Export(("dent", "two words"), "photographs", "2026-11-21T17:00:00Z", lambda: iter(images))
    writer = next(one for one in FORMATS if one.name == form)
    files: dict[str, bytes] = {}
    places: dict[str, str] = {}
    for file in writer.write(export):
        assert file.path not in files, f"{file.path} is written twice"
        if isinstance(file, Stored):
            places[file.digest] = file.path
        files[file.path] = PICTURE if isinstance(file, Stored) else b"".join(file.pieces)
    return Folder(dict.fromkeys(files, ""), lambda path: [files[path]]), places, export.warnings


def said(reading: Reading, size: tuple[int, int] = (120, 80)) -> dict[str, tuple[object, ...]]:
    return {image.path: (image.split, *map(str, boxes(image, size))) for image in reading.images}


def boxes(image: LabelledImage, size: tuple[int, int]) -> list[tuple[object, ...]]:
    wide, high = size
    return [
        (box.label, *(round(value * (scale if box.relative else 1), 3) for value, scale in
                      ((box.x, wide), (box.y, high), (box.width, wide), (box.height, high))))
        for box in image.boxes
    ]  # fmt: skip


@pytest.mark.parametrize("form", [one.name for one in FORMATS])
@settings(max_examples=40, deadline=None)
@given(images=versions())
@example([record("b", 0, Split.VAL), record("b c", 1, Split.TRAIN)])
@example([record(name, at, Split.VAL) for at, name in enumerate(("a.jpg.png", "a.png", "a.jpg", "a.PNG.x", "a"))])
@example([record(name, at, Split.TEST) for at, name in enumerate(("Annotations", "ImageSets", "classes.txt/a.png"))])
@example(
    [
        record(name, 0, Split.TRAIN)
        for name in ("a.png", "a.txt", "a.txt_", "obj_train_data/a.png", "obj_train_data/a.txt")
    ]
)
@example([record(name, at, Split.TEST) for at, name in enumerate(("images/labels/a.txt", "images/a.png", "labels/a"))])
def test_what_is_written_reads_back(form: str, images: list[ImageRecord]) -> None:
    folder, places, counted = folder_of(form, images)
    warnings = Warnings()
    found = recognise(folder, Warnings(), form).read(folder, warnings)
    unsaid = {one.code for one in counted.counted()} & {"dataset.name_unsaid"}
    written = [image for image in images if image.digest in places]
    assert unsaid or len(written) == len(images)
    assert said(found) == {
        places[image.digest]: (
            image.split,
            *map(str, [(b.label, *map(float, (b.x, b.y, b.width, b.height))) for b in image.boxes]),
        )
        for image in written
    }
    assert warnings.counted() == ()
    assert recognise(folder, Warnings()).name == form
    if form not in ("yolo", "darknet"):
        assert all(place == image.file_name for image in written for place in [places[image.digest]])
    assert all(PurePosixPath(place).suffix.rstrip("_") == PurePosixPath(image.file_name).suffix.rstrip("_")
               for image in written for place in [places[image.digest]])  # fmt: skip
