"""DETR's layouts, as the projects write them, against a decoder written on its own (`detr_files.said`)."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from lineside.contract.errors import LinesideError
from lineside.pipeline.one_input import one_input
from lineside.runtime.golden import check_golden
from lineside.runtime.model import Model, load
from tests.runtime.heads.detr_files import LAYOUTS, finished, said, truth
from tests.runtime.heads.layouts import LABELS, signature_of
from tests.runtime.heads.test_layouts import PICTURE, golden_file


def model_of(folder: Path, file: bytes, labels: tuple[str, ...] = LABELS) -> Model:
    """As it is after an import."""
    file = one_input(file, signature_of("detr")) if b"orig_target_sizes" in file else file
    (folder / "model.onnx").write_bytes(file)
    return load(folder / "model.onnx", msgspec.structs.replace(signature_of("detr"), labels=labels), threads=1)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_reproduces_the_golden_set_of_a_plain_decoder(layout: str, seed: int, tmp_path: Path) -> None:
    boxes, scores = truth(np.random.default_rng(seed))
    golden = golden_file(tmp_path, "detr", said(boxes, scores))
    outcome = check_golden(golden, model_of(tmp_path, LAYOUTS[layout](boxes, scores)))
    assert outcome.matched, outcome.difference


@pytest.mark.parametrize("layout", LAYOUTS)
def test_that_golden_set_is_not_met_by_other_answers(layout: str, tmp_path: Path) -> None:
    golden = golden_file(tmp_path, "detr", said(*truth(np.random.default_rng(0))))
    assert not check_golden(golden, model_of(tmp_path, LAYOUTS[layout](*truth(np.random.default_rng(5))))).matched


@pytest.mark.parametrize(("layout", "classes"), [("rf-detr", 3), ("raw", 4)])
def test_names_tell_boxes_from_logits_where_both_have_four_columns(layout: str, classes: int, tmp_path: Path) -> None:
    boxes, scores = truth(np.random.default_rng(3), classes)
    found = model_of(tmp_path, LAYOUTS[layout](boxes, scores), LABELS[:classes]).detect(PICTURE)
    expected = sorted((row for row in said(boxes, scores) if row[4] >= 0.3), key=lambda row: -row[4])
    assert [(d.class_index, round(d.confidence, 4)) for d in found] == [(row[5], round(row[4], 4)) for row in expected]
    assert np.allclose([[d.x, d.y] for d in found], [[2 * row[0], 2 * row[1]] for row in expected], atol=0.05)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_query_with_a_box_that_is_not_finite_is_left_out(layout: str, tmp_path: Path) -> None:
    boxes, scores = truth(np.random.default_rng(0))
    best = int(scores.max(axis=1).argmax())
    before = model_of(tmp_path, LAYOUTS[layout](boxes, scores)).detect(PICTURE)
    boxes[best] = np.nan
    assert model_of(tmp_path, LAYOUTS[layout](boxes, scores)).detect(PICTURE) == before[1:]


def test_classes_beyond_the_labels_are_left_out(tmp_path: Path) -> None:
    boxes, scores = truth(np.random.default_rng(0))
    found = model_of(tmp_path, LAYOUTS["d-fine"](boxes, scores), LABELS[:2]).detect(PICTURE)
    expected = [row for row in said(boxes, scores) if row[4] >= 0.3 and row[5] < 2]
    assert len(found) == len(expected)
    assert {d.label for d in found} <= set(LABELS[:2])


@pytest.mark.parametrize("layout", ["raw", "rf-detr", "ultralytics"])
def test_other_columns_than_labels_are_refused(layout: str, tmp_path: Path) -> None:
    with pytest.raises(LinesideError) as caught:
        model_of(tmp_path, LAYOUTS[layout](*truth(np.random.default_rng(0))), LABELS[:3])
    assert caught.value.code == "model.shape_unknown"


@pytest.mark.parametrize("outputs", [("labels", "boxes"), ("boxes", "scores"), ("labels", "scores")])
def test_a_layout_with_a_part_missing_is_refused(outputs: tuple[str, ...], tmp_path: Path) -> None:
    boxes, scores = truth(np.random.default_rng(0))
    file = finished(boxes, scores, outputs)
    with pytest.raises(LinesideError) as caught:
        model_of(tmp_path, file)
    assert caught.value.code == "model.shape_unknown"
