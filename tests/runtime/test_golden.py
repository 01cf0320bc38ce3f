"""Golden sets: written, reproduced, and a difference told in one sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import msgspec
import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.golden import GoldenSet
from lineside.runtime.golden import check_golden, write_golden
from lineside.runtime.model import Model
from tests.runtime.conftest import encoded, squares

IMAGES = {
    "one.png": encoded(squares((8, 8))),
    "none.png": encoded(squares()),
    "two.png": encoded(squares((0, 0), (32, 48))),
}


def rewritten(path: Path, **changes: object) -> None:
    """Changes the first detection of the case two.png."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    golden = msgspec.json.decode(members["golden.json"], type=GoldenSet)
    cases = []
    for case in golden.cases:
        found = list(case.detections)
        if case.image == "two.png":
            found[0] = msgspec.structs.replace(found[0], **changes)
        cases.append(msgspec.structs.replace(case, detections=tuple(found)))
    members["golden.json"] = msgspec.json.encode(msgspec.structs.replace(golden, cases=tuple(cases)))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_the_model_that_wrote_it_reproduces_it(tmp_path: Path, bright: Model) -> None:
    golden = write_golden(tmp_path / "golden.zip", bright, IMAGES)
    assert [len(case.detections) for case in golden.cases] == [0, 1, 2]
    outcome = check_golden(tmp_path / "golden.zip", bright)
    assert outcome.matched
    assert outcome.cases == 3


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, bright: Model) -> None:
    write_golden(tmp_path / "a.zip", bright, IMAGES)
    write_golden(tmp_path / "b.zip", bright, dict(reversed(IMAGES.items())))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"confidence": 0.7}, "0.30 away"),
        ({"x": 12.0}, "is missing; the best box overlaps it by"),
        ({"class_index": 1}, "is missing"),
    ],
)
def test_a_difference_is_named(tmp_path: Path, bright: Model, changes: dict[str, object], words: str) -> None:
    path = tmp_path / "golden.zip"
    write_golden(path, bright, IMAGES)
    rewritten(path, **changes)
    outcome = check_golden(path, bright)
    assert not outcome.matched
    assert outcome.image == "two.png"
    assert words in outcome.difference


def test_what_the_tolerances_cover_matches(tmp_path: Path, bright: Model) -> None:
    path = tmp_path / "golden.zip"
    write_golden(path, bright, IMAGES)
    rewritten(path, confidence=0.96, width=8.3)
    assert check_golden(path, bright).matched


def test_a_detection_at_the_threshold_may_go(tmp_path: Path, bright: Model) -> None:
    path = tmp_path / "golden.zip"
    write_golden(
        path, bright, {"two.png": encoded(squares((0, 0), (32, 48)) // 2 + 26)}
    )  # about 0.6 bright: none or all
    assert check_golden(path, bright).matched
    write_golden(path, bright, {"two.png": encoded((squares((0, 0)) * 0.61).astype("uint8"))})
    with zipfile.ZipFile(path) as archive:
        golden = msgspec.json.decode(archive.read("golden.json"), type=GoldenSet)
    assert len(golden.cases[0].detections) == 1
    rewritten(path, x=40.0)  # nobody finds it there, but it was barely over the threshold
    assert check_golden(path, bright).matched


def test_an_extra_detection_is_a_difference(tmp_path: Path, bright: Model) -> None:
    path = tmp_path / "golden.zip"
    write_golden(path, bright, {"two.png": encoded(squares())})
    with zipfile.ZipFile(path) as archive:
        description = archive.read("golden.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("golden.json", description)
        archive.writestr("two.png", encoded(squares((8, 8))))
    outcome = check_golden(path, bright)
    assert not outcome.matched
    assert "was not there before" in outcome.difference


def _damaged() -> bytes:
    """A ZIP whose packed bytes are none."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("golden.json", '{"cases": []}' + " " * 5000)
    data = bytearray(buffer.getvalue())
    data[50:60] = b"\xff" * 10
    return bytes(data)


def _locked() -> bytes:
    """A ZIP that asks for a password."""
    data = bytearray(_damaged())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize("content", [b"", b"no zip", None, _damaged(), _locked()], ids=range(5))
def test_what_is_no_golden_set_is_unreadable(tmp_path: Path, bright: Model, content: bytes | None) -> None:
    path = tmp_path / "golden.zip"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("golden.json", '{"cases": [{"image": "gone.png", "detections": []}]}')
    else:
        path.write_bytes(content)
    with pytest.raises(LinesideError) as caught:
        check_golden(path, bright)
    assert caught.value.code == "golden.unreadable"
