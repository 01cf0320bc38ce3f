"""Label files with anything in them are read, counted or refused; a reader never fails in another way."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.server.datasets.counted import Warnings
from lineside.server.datasets.formats import FORMATS
from lineside.server.datasets.formats.finding import locate
from lineside.server.datasets.formats.folder import Folder
from lineside.server.datasets.formats.text import python_value

_BOXES = {"annotations": [{"class_id": 0, "left": 1, "top": 2, "width": 3, "height": 4}], "image_size": [{"width": 9}]}
_METADATA = {"class-map": {"0": "a"}, "objects": [{"source": {"kind": "person"}}], "human-annotated": "yes"}
_VALUE = {"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": ["a"]}
_RESULT = {"original_width": 9, "original_height": 9, "value": _VALUE, "meta": {"source": {"kind": "model"}}}
DOCUMENTS: dict[str, Any] = {
    "a.manifest": {"source-ref": "s3://b/a.png", "boxes": _BOXES, "boxes-metadata": _METADATA, "split": "train"},
    "tasks.json": [{"data": {"image": "a.png"}, "annotations": [{"result": [_RESULT], "was_cancelled": False}]}],
    "min.json": [{"image": "a.png", "label": [_RESULT | _VALUE]}],
    "coco.json": {
        "images": [{"id": 1, "file_name": "a.png", "taken_at": "2026-11-21T17:00:00Z", "group": 3}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "source": {"kind": "person"}}],
        "categories": [{"id": 1, "name": "a"}],
    },
}
TABLES = (
    "image,annotations\na.png,\"[{'class_id': 0, 'left': 1, 'top': 2, 'width': 3, 'height': 4}]\"\n",
    "image,label,x1,y1,x2,y2,source\na.png,a,1,2,3,4,{}\nb.png,,,,,,\n",
)
_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 10**30, 1e308, -5.5, "nan", "../x", "s3://b/a.png", "\0", "x" * 300, "1", [], {}, [[]]]),
    st.text(max_size=5),
)


@st.composite
def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """A value with some of its parts exchanged or left out."""
    if draw(st.integers(0, 9)) == 0:
        return draw(_ODD)
    if isinstance(value, dict):
        return {key: draw(spoilt(part)) for key, part in value.items() if draw(st.integers(0, 19))}
    return [draw(spoilt(part)) for part in value] if isinstance(value, list) else value


def read(name: str, data: bytes) -> None:
    files = {name: data, "a.png": b"\x89PNG", "b.png": b"\x89PNG"}
    folder = Folder({path: path for path in files}, lambda path: [files[path]])
    for form in FORMATS:
        with contextlib.suppress(LinesideError):
            if form.recognises(folder):
                found = form.read(folder, Warnings())
                assert {image.path for image in found.images} <= set(files)


@pytest.mark.parametrize("name", DOCUMENTS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_spoilt_document_is_read_or_refused(name: str, data: st.DataObject) -> None:
    read(name, json.dumps(data.draw(spoilt(DOCUMENTS[name]))).encode())


@settings(max_examples=60, deadline=None)
@given(
    table=st.sampled_from(TABLES),
    changes=st.lists(st.tuples(st.integers(0, 120), st.sampled_from(list("'\"[]{(),\\\0\n\r9é-"))), max_size=6),
)
def test_a_spoilt_table_is_read_or_refused(table: str, changes: list[tuple[int, str]]) -> None:
    letters = list(table)
    for at, letter in changes:
        letters[at % len(letters)] = letter
    read("a.csv", "".join(letters).encode())


@given(
    st.recursive(st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(), lambda inner: st.lists(inner))
)
def test_what_python_prints_is_taken_apart_as_it_was(value: Any) -> None:
    assert python_value(repr(value)) == value


@pytest.mark.parametrize("written", ["'\\ud800'", "['\\U00110000']", "[" * 9000, "9" * 9000, "[nan]", "x", "", "'"])
def test_what_is_no_plain_python_is_refused(written: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        python_value(written)


def test_half_a_character_is_refused() -> None:
    files = {"tasks.json": b'[{"data": {"image": "\\ud800"}, "annotations": [], "result": 1}]'}
    with pytest.raises(LinesideError) as caught:
        FORMATS[3].read(Folder({path: path for path in files}, lambda path: [files[path]]), Warnings())
    assert caught.value.code == "dataset.file_unreadable"


def test_a_table_with_old_line_ends_is_read() -> None:
    files = {"a.csv": b"image,label,x1,y1,x2,y2\ra.png,a,1,2,3,4\r", "a.png": b"\x89PNG"}
    found = FORMATS[-1].read(Folder({path: path for path in files}, lambda path: [files[path]]), Warnings())
    assert [(image.path, len(image.boxes)) for image in found.images] == [("a.png", 1)]


def test_a_reference_of_many_parts_is_looked_for_by_as_many_as_files_have() -> None:
    folder = Folder({path: path for path in ("top.png", "one/a.png", "two/deep/a.png")}, lambda path: [path.encode()])
    warnings = Warnings()
    assert locate(folder, "x.manifest", "b/" * 2000 + "deep/a.png", warnings) == "two/deep/a.png"
    assert locate(folder, "x.manifest", "b/" * 50_000 + "deep/a.png", warnings) is None
    [refused] = warnings.counted()
    assert (refused.code, refused.count, len(refused.examples[0])) == ("dataset.image_path_refused", 1, 201)


def test_only_as_many_tails_are_made_as_a_file_has_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    folder, asked = Folder({"one/a.png": "a"}, lambda path: [path.encode()]), list[str]()

    def ending(_: Folder, tail: str) -> list[str]:
        asked.append(tail)
        return []

    monkeypatch.setattr(Folder, "ending", ending)
    assert locate(folder, "x.manifest", "b/" * 1000 + "one/gone.png", Warnings()) is None
    assert asked == ["one/gone.png", "gone.png", "gone.png"]
