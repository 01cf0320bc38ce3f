"""A model folder to detections, and every way in which a folder can be wrong."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.runtime.decode import Picture
from lineside.runtime.model import Model, load, load_folder
from tests.runtime.conftest import BRIGHT, bright_model, encoded, squares, write_model


def refusal(folder: Path) -> LinesideError:
    with pytest.raises(LinesideError) as caught:
        load_folder(folder)
    return caught.value


def test_a_bright_square_is_found_where_it_is(bright: Model) -> None:
    found = bright.detect(encoded(squares((24, 40))))
    assert [(d.label, d.x, d.y, d.width, d.height) for d in found] == [("bright", 24, 40, 8, 8)]
    assert found[0].confidence == pytest.approx(1.0, abs=1e-4)


def test_boxes_are_pixels_of_the_original(bright: Model) -> None:
    pixels = np.kron(squares((24, 40)), np.ones((5, 5, 1), np.uint8))[:240]  # 320 x 240
    (found,) = bright.detect(encoded(pixels), score_threshold=0.9)
    assert (found.x, found.y, found.width, found.height) == (120, 200, 40, 40)


def test_most_confident_first_clipped_and_at_most_the_limit(bright: Model) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (50, 70, 3), np.uint8)
    found = bright.detect(encoded(pixels), score_threshold=0.01)
    assert 0 < len(found) <= BRIGHT.max_detections
    assert [d.confidence for d in found] == sorted((d.confidence for d in found), reverse=True)
    assert all(d.x >= 0 and d.y >= 0 and d.x + d.width <= 70.001 and d.y + d.height <= 50.001 for d in found)
    assert all(d.width > 0 and d.height > 0 for d in found)


def test_a_lower_threshold_only_adds(bright: Model) -> None:
    data = encoded(np.random.default_rng(4).integers(0, 256, (64, 64, 3), np.uint8))
    low, high = bright.detect(data, score_threshold=0.05), bright.detect(data, score_threshold=0.5)
    assert low[: len(high)] == high


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 255))
def test_any_size_is_decided_the_same_way_twice(bright: Model, width: int, height: int, value: int) -> None:
    picture = Picture.of(np.full((height, width, 3), value, np.uint8))
    first = bright.detect(picture, score_threshold=0.01)
    assert first == bright.detect(picture, score_threshold=0.01)
    assert all(d.x + d.width <= width + 0.001 and d.y + d.height <= height + 0.001 for d in first)


def test_threads_may_share_a_model(bright: Model) -> None:
    images = [encoded(squares((8 * i, 8 * i))) for i in range(8)]
    expected = [bright.detect(data) for data in images]
    wrong: list[int] = []

    def check(index: int) -> None:
        wrong.extend(index for _ in range(30) if bright.detect(images[index]) != expected[index])

    threads = [threading.Thread(target=check, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_timing_and_the_picture_come_along(bright: Model) -> None:
    inference = bright.detect_timed(encoded(squares((0, 0), side=128)))
    assert inference.latency_ms > 0
    assert (inference.picture.width, inference.picture.height) == (128, 128)


def test_a_folder_names_its_model(bright_folder: Path) -> None:
    model = load_folder(bright_folder, threads=1)
    assert (model.identity.name, model.identity.version, model.threads) == ("bright", 3, 1)
    assert model.digest == digest_of((bright_folder / "model.onnx").read_bytes())


def test_a_file_alone_loads_with_its_signature(bright_folder: Path) -> None:
    model = load(bright_folder / "model.onnx", BRIGHT, threads=1)
    assert len(model.detect(encoded(squares((0, 0))))) == 1


def test_a_changed_model_file_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    data = bytearray((folder / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.onnx").write_bytes(data)
    assert refusal(folder).code == "model.digest_mismatch"


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    assert refusal(write_model(tmp_path, data=b"not a model")).code == "model.unreadable"


@pytest.mark.parametrize("name", ["model.onnx", "signature.json", "model.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_model(tmp_path)
    (folder / name).unlink()
    error = refusal(folder)
    assert error.code == "model.missing"
    assert name in error.message


@pytest.mark.parametrize("name", ["signature.json", "model.json"])
@pytest.mark.parametrize("text", [b"{", b"[]", b'{"head": 3}', b"", b'{"head": "\xff", "name": "\xff"}'])
def test_a_description_that_is_not_one_is_refused(tmp_path: Path, name: str, text: bytes) -> None:
    folder = write_model(tmp_path)
    (folder / name).write_bytes(text)
    assert refusal(folder).code == "model.description_invalid"


@pytest.mark.parametrize(
    ("change", "seen", "wanted"),
    [
        ({"labels": ("a", "b")}, "(1, 84, 5)", "(1, 84, 6)"),
        ({"head": "yolox"}, "(1, 84, 5)", "(1, 84, 6)"),
        ({"input_width": 96}, "(1, 3, 64, 64, 'float32')", "(1, 3, 64, 96)"),
        ({"channels": "grey"}, "(1, 3, 64, 64, 'float32')", "(1, 1, 64, 64)"),
    ],
)
def test_unknown_shapes_are_refused_with_what_was_seen_and_wanted(
    tmp_path: Path, change: dict[str, object], seen: str, wanted: str
) -> None:
    error = refusal(write_model(tmp_path, msgspec.structs.replace(BRIGHT, **change)))
    assert error.code == "model.shape_unknown"
    assert seen in error.message
    assert wanted in error.message


def test_fields_from_a_newer_version_are_ignored(tmp_path: Path) -> None:
    folder = write_model(tmp_path, data=bright_model())
    signature = json.loads((folder / "signature.json").read_text())
    (folder / "signature.json").write_text(json.dumps({**signature, "later": 1}))
    assert load_folder(folder).signature == BRIGHT
