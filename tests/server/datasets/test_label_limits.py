"""Files of labels have limits, and what a file is its beginning says: whatever is sent, memory stays bounded."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, repeat

import pytest

from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import FORMATS, recognise, text
from lineside.server.datasets.formats import folder as folders
from lineside.server.datasets.formats.folder import BEGINNING, Folder
from tests.server.datasets.conftest import boxed, coco, listed, picture, png, surface

MIB = 1 << 20
Stream = Callable[[], Iterator[bytes]]
TABLE = b"image,label,x1,y1,x2,y2\n"
NEST = (b"[" * 200_000, b"]" * 200_000)
ROW = b"a.png,dent,1,2,3,4\n"


class Counted:
    """A folder whose files may have no end; counts the bytes that were taken of each."""

    def __init__(self, files: Mapping[str, Stream | bytes]) -> None:
        self.taken = dict.fromkeys(files, 0)
        self._files = files
        self.folder = Folder({path: path for path in files}, self._stream)

    def _stream(self, path: str) -> Iterator[bytes]:
        content = self._files[path]
        for piece in [content] if isinstance(content, bytes) else content():
            self.taken[path] += len(piece)
            yield piece


def endless(*first: bytes, then: bytes = b" ") -> Stream:
    return lambda: chain(first, repeat(then * (MIB // len(then))))


def refused(files: Mapping[str, Stream | bytes]) -> tuple[LinesideError, Counted, int]:
    """How a folder is refused, what was read of it, and the most memory that took, in MiB."""
    counted = Counted({"a.png": b"\x89PNG", **files})
    tracemalloc.start()
    try:
        with pytest.raises(LinesideError) as caught:
            recognise(counted.folder, Warnings()).read(counted.folder, Warnings())
        return caught.value, counted, tracemalloc.get_traced_memory()[1] // MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "name", ["a.json", "a.csv", "a.manifest", "a.xml", "a.txt", "photo.dng", "classes.txt", "labels/a.txt"]
)
def test_what_a_file_is_its_beginning_says(name: str) -> None:
    counted = Counted({name: endless(b'{"exif": "'), "images/a.png": b"\x89PNG"})
    assert [form.name for form in FORMATS if form.recognises(counted.folder)] == ["yolo"] * (name == "labels/a.txt")
    assert counted.taken[name] <= len(FORMATS) * (MIB + 10)


def test_a_coco_file_is_known_however_far_its_words_lie_apart() -> None:
    far = Counted({"a.json": coco(listed(20_000), [boxed(0, 1, 2, 3, 4)])})
    assert len(b"".join(far.folder._stream("a.json"))) > 2 * BEGINNING
    assert FORMATS[0].recognises(far.folder)


def test_pictures_without_labels_are_not_read_to_their_end() -> None:
    photo = png(surface(1))
    counted = Counted({"labels/b.txt": b"", "images/a.png": endless(photo), "images/b.png": picture(2)})
    found = FORMATS[2].read(counted.folder, Warnings())
    assert sorted(image.path for image in found.images) == ["images/a.png", "images/b.png"]
    assert counted.taken["images/a.png"] <= len(photo) + MIB


def test_a_picture_whose_head_lies_at_its_end_is_one() -> None:
    """A TIFF file may say at its end what it is."""
    import io

    stream = io.BytesIO()
    surface(3, 400, 400).convert("RGB").save(stream, "TIFF")
    counted = Counted({"a.tif": stream.getvalue(), "b.bin": b"BM" + b"x" * 2 * BEGINNING})
    assert len(stream.getvalue()) > BEGINNING
    assert [counted.folder.is_picture(path) for path in ("a.tif", "b.bin")] == [True, False]


def test_a_document_that_does_not_end_is_refused_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders.Folder.read, "__defaults__", (4 * MIB,))
    error, counted, most = refused({"a.json": endless(b'{"images": [], "annotations": [')})
    assert (error.code, int(error.kind)) == ("dataset.file_too_large", 413)
    assert "a.json is over 4 MiB" in error.message
    assert "SageMaker manifest, CSV" in error.next
    assert counted.taken["a.json"] <= 9 * MIB
    assert most <= 12


@pytest.mark.parametrize("name", ["a.manifest", "a.csv"])
def test_lines_that_do_not_end_are_refused_at_the_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LINES", MIB // 2)
    first, then = (TABLE, ROW) if name == "a.csv" else (b'{"source-ref": "a.png"}\n', b"\n")
    error, _, most = refused({name: endless(first, then=then)})
    assert error.code == "dataset.file_too_large"
    assert most <= 32


@pytest.mark.parametrize(
    ("name", "stream", "why"),
    [
        (
            "a.json",
            [b'{"images": [], "annotations": [{"image_id": 1, "x": ', *NEST],
            "recursion",
        ),
        ("a.json", [b'[{"annotations": [{"was_cancelled": 0, "result": ', *NEST], "recursion"),
        ("a.csv", [TABLE, b'"' + b"x" * 200_000 + b'"\n'], "field larger than field limit"),
        ("a.csv", [TABLE, b"x," * MIB], "line 2 cannot be read: it is over"),
        ("a.csv", [TABLE, b'"\n",' * MIB], "a row is over"),
        ("a.csv", [TABLE[:-1], b",x" * MIB], "line 1 cannot be read: it is over"),
        ("a.manifest", [b'{"source-ref": "a.png"}\n', b"x" * 2 * MIB], "line 2 cannot be read: it is over"),
        ("a.manifest", [b'{"source-ref": "a.png"}\n', b"\xff\n"], "line 2 cannot be read: it is not UTF-8"),
    ],
)
def test_hostile_labels_are_refused_with_their_place(name: str, stream: list[bytes], why: str) -> None:
    error, _, most = refused({name: lambda: iter(stream)})
    assert error.code == "dataset.file_unreadable"
    assert why in error.message
    assert most <= 64


def test_a_million_values_in_a_few_bytes_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_MOST_VALUES", 100_000)
    head = b'[{"data": {"image": "a.png"}, "annotations": [{"was_cancelled": 0, "result": ['
    error, _, most = refused({"tasks.json": head + b"[],{}," * MIB})
    assert error.code == "dataset.file_too_large"
    assert "over 100000 values" in error.message
    assert most <= 16


def test_what_of_a_coco_file_is_not_asked_for_takes_no_memory() -> None:
    outline = b"[" + b",".join([b"1"] * 2 * MIB) + b"]"
    box = b'{"image_id": 0, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": [' + outline + b"]}"
    whole = b'{"images": [{"id": 0, "file_name": "a.png"}], "categories": [{"id": 1, "name": "dent"}], "annotations": ['
    counted = Counted({"a.png": b"\x89PNG", "a.json": whole + box + b"]}"})
    tracemalloc.start()
    try:
        found = FORMATS[0].read(counted.folder, Warnings())
        most = tracemalloc.get_traced_memory()[1] // MIB
    finally:
        tracemalloc.stop()
    assert [len(image.boxes) for image in found.images] == [1]
    assert most <= 3 * len(outline) // MIB


def test_labels_of_one_image_that_are_too_long_are_left_out_and_counted() -> None:
    long = b"0 0.5 0.5 0.1 0.1\n" * (folders.SMALL // 18 + 1)
    files = {f"images/{one}.png": b"\x89PNG" for one in "ab"} | {"labels/a.txt": long, "labels/b.txt": b""}
    counted, warnings = Counted({**files, "data.yaml": b"names: [dent]"}), Warnings()
    assert [image.path for image in FORMATS[2].read(counted.folder, warnings).images] == ["images/b.png"]
    assert [one.code for one in warnings.counted()] == ["dataset.label_unreadable"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
def test_lines_are_the_same_however_a_file_is_cut_into_pieces(end: bytes, cut: int) -> None:
    data = "\ufeffeins,zwei".encode() + end + end + "größer".encode() + end + b"last"
    pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
    lines = list(Folder({"a": "a"}, lambda path: pieces).lines("a"))
    assert [(number, line.strip()) for number, line in lines] == [(1, "eins,zwei"), (2, ""), (3, "größer"), (4, "last")]
    assert "".join(line for _, line in lines).encode() == data.removeprefix(b"\xef\xbb\xbf")
