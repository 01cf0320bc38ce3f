"""Each head, through the whole runtime, reproduces a golden set that a decoder written on its own made."""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.golden import GoldenCase, GoldenSet
from lineside.contract.result import Detection
from lineside.runtime.golden import check_golden
from lineside.runtime.heads import HEADS
from lineside.runtime.model import Model, load
from tests.runtime.conftest import encoded
from tests.runtime.heads import layouts
from tests.runtime.heads.layouts import HEIGHT, LABELS, MADE, READ, WIDTH, Row, Tensors

PICTURE = encoded(np.full((2 * HEIGHT, 2 * WIDTH, 3), 90, np.uint8))  # twice the input's size


def model_of(folder: Path, head: str, outputs: Tensors, labels: tuple[str, ...] = LABELS) -> Model:
    file = folder / "model.onnx"
    file.write_bytes(layouts.answers(outputs))
    return load(file, msgspec.structs.replace(layouts.signature_of(head), labels=labels), threads=1)


def golden_file(folder: Path, head: str, rows: list[Row]) -> Path:
    """A golden set of what the plain decoder found, in pixels of the picture."""
    signature = layouts.signature_of(head)
    found = layouts.kept(rows, signature.score_threshold, signature.iou_threshold)
    assert len(found) >= 1
    detections = tuple(
        Detection(
            label=LABELS[kind],
            class_index=kind,
            confidence=score,
            x=2 * x1,
            y=2 * y1,
            width=2 * (x2 - x1),
            height=2 * (y2 - y1),
        )
        for (x1, y1, x2, y2), score, kind in ((_inside(row), row[4], row[5]) for row in found)
    )
    case = GoldenCase(image="1.png", detections=detections)
    path = folder / "golden.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "golden.json", msgspec.json.encode(GoldenSet(cases=(case,), min_iou=0.99, max_confidence_gap=1e-4))
        )
        archive.writestr("1.png", PICTURE)
    return path


def _inside(row: Row) -> tuple[float, float, float, float]:
    """A box cut to the picture, as every result is."""
    x1, y1, x2, y2 = row[:4]
    return max(0.0, x1), max(0.0, y1), min(float(WIDTH), x2), min(float(HEIGHT), y2)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("head", sorted(HEADS))
def test_the_golden_set_of_a_plain_decoder_is_reproduced(head: str, seed: int, tmp_path: Path) -> None:
    outputs = MADE[head](np.random.default_rng(seed))
    golden = golden_file(tmp_path, head, READ[head](outputs))
    outcome = check_golden(golden, model_of(tmp_path, head, outputs))
    assert outcome.matched, outcome.difference


@pytest.mark.parametrize("head", sorted(HEADS))
def test_that_golden_set_is_not_met_by_other_answers(head: str, tmp_path: Path) -> None:
    golden = golden_file(tmp_path, head, READ[head](MADE[head](np.random.default_rng(0))))
    assert not check_golden(golden, model_of(tmp_path, head, MADE[head](np.random.default_rng(7)))).matched


@pytest.mark.parametrize("head", ["detr", "ssd"])
def test_two_outputs_may_come_in_any_order(head: str, tmp_path: Path) -> None:
    outputs = MADE[head](np.random.default_rng(0))
    golden = golden_file(tmp_path, head, READ[head](outputs))
    assert check_golden(golden, model_of(tmp_path, head, outputs[::-1])).matched


@pytest.mark.parametrize("head", sorted(HEADS))
def test_other_labels_than_the_file_has_are_refused_with_both_shapes(head: str, tmp_path: Path) -> None:
    outputs = MADE[head](np.random.default_rng(0))
    with pytest.raises(LinesideError) as caught:
        model_of(tmp_path, head, outputs, labels=(*LABELS, "f", "g"))
    assert caught.value.code == "model.shape_unknown"
    seen = tuple(int(size) for size in outputs[0].shape)
    assert str(seen) in caught.value.message
    assert str(len(LABELS) + 2 + {"yolox": 5, "yolov5": 5, "ssd": 1, "detr": 0, "classify": 0}.get(head, 4)) in (
        caught.value.message
    )


@pytest.mark.parametrize("head", sorted(HEADS))
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_left_out(head: str, poison: float, tmp_path: Path) -> None:
    outputs = MADE[head](np.random.default_rng(0))
    model = model_of(tmp_path, head, outputs)
    before = len(model.detect(PICTURE, score_threshold=0.01))
    for output in outputs:
        (output[0].T if head != "yolov8" else output[0])[2] = poison  # a coordinate of every box, or a class
    found = model_of(tmp_path, head, outputs).detect(PICTURE, score_threshold=0.01)
    assert before > 0
    assert all(np.isfinite([d.x, d.y, d.width, d.height, d.confidence]).all() for d in found)
    assert len(found) < before


def test_a_class_is_said_of_the_whole_picture(tmp_path: Path) -> None:
    (found,) = model_of(tmp_path, "classify", MADE["classify"](np.random.default_rng(1))).detect(PICTURE)
    assert (found.x, found.y, found.width, found.height) == (0, 0, 2 * WIDTH, 2 * HEIGHT)
    assert found.confidence == pytest.approx(0.7, abs=1e-6)


def test_a_class_that_is_not_sure_enough_is_not_said(tmp_path: Path) -> None:
    model = model_of(tmp_path, "classify", [np.full((1, len(LABELS)), 0.2, np.float32)])
    assert model.detect(PICTURE) == []
