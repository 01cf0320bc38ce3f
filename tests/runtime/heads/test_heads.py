"""Heads against decoders written here on their own, row by row."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.runtime.heads import head_of, locations

LABELS = ("a", "b", "c")
SIGNATURE = Signature(head="yolox", input_width=96, input_height=64, labels=LABELS)


def yolox_rows(output: np.ndarray, width: int, height: int, threshold: float) -> list[tuple[float, ...]]:
    """The published decoding in plain Python: (x1, y1, x2, y2, score, class) of each row over the threshold."""
    found, index = [], 0
    for stride in (8, 16, 32):
        for cell_y in range(height // stride):
            for cell_x in range(width // stride):
                x, y, w, h, objectness, *classes = (float(value) for value in output[0, index])
                index += 1
                best = max(range(len(classes)), key=lambda c: classes[c])
                score = objectness * classes[best]
                if score >= threshold:
                    cx, cy = (x + cell_x) * stride, (y + cell_y) * stride
                    half_w, half_h = math.exp(w) * stride / 2, math.exp(h) * stride / 2
                    found.append((cx - half_w, cy - half_h, cx + half_w, cy + half_h, score, best))
    assert index == output.shape[1]
    return found


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.1001, 0.3003, 0.9]))
def test_yolox_decodes_as_published(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    count = locations(SIGNATURE)
    output = np.concatenate([rng.normal(0, 1, (1, count, 4)), rng.random((1, count, 4))], axis=2).astype(np.float32)
    found = head_of(SIGNATURE).candidates([output], threshold)
    expected = yolox_rows(output, 96, 64, threshold)
    assert len(found.scores) == len(expected)
    if expected:
        table = np.array(expected)
        assert np.allclose(found.boxes, table[:, :4], atol=1e-3)
        assert np.allclose(found.scores, table[:, 4], atol=1e-6)
        assert found.classes.tolist() == table[:, 5].astype(int).tolist()


def test_compact_reads_boxes_and_scores_as_they_are() -> None:
    signature = msgspec.structs.replace(SIGNATURE, head="compact")
    output = np.zeros((1, locations(signature), 7), np.float32)
    output[0, 5] = [1, 2, 30, 40, 0.1, 0.8, 0.3]
    output[0, 9] = [3, 4, 50, 60, 0.5, 0.2, 0.5]
    found = head_of(signature).candidates([output], 0.4)
    assert found.boxes.tolist() == [[1, 2, 30, 40], [3, 4, 50, 60]]
    assert np.allclose(found.scores, [0.8, 0.5])
    assert found.classes.tolist() == [1, 0]


def test_sizes_beyond_reason_do_not_overflow() -> None:
    made = head_of(SIGNATURE)
    output = np.full(made.wanted[0], 0.9, np.float32)
    output[0, :, 2:4] = 1e30
    assert np.isfinite(made.candidates([output], 0.1).boxes).all()


@pytest.mark.parametrize("place", [0, 2])
def test_a_prior_of_ssd_with_an_infinite_score_is_left_out(place: int) -> None:
    scores, boxes = np.full((1, 4, 4), 0.5, np.float32), np.full((1, 4, 4), 0.5, np.float32)
    scores[0, 1, place] = np.inf
    found = head_of(msgspec.structs.replace(SIGNATURE, head="ssd")).candidates([scores, boxes], 0.1)
    assert found.scores.tolist() == ([0.5] * 3 if place else [0.5] * 4)  # the background's score is not looked at


def test_an_unknown_head_is_named_with_the_known_ones() -> None:
    with pytest.raises(LinesideError) as caught:
        head_of(msgspec.structs.replace(SIGNATURE, head="mystery"))
    assert caught.value.code == "model.head_unknown"
    assert "classify, compact, detr, ssd, yolov5, yolov8, yolox" in caught.value.message


def test_input_sizes_that_no_stride_divides_round_up() -> None:
    assert locations(msgspec.structs.replace(SIGNATURE, input_width=100, input_height=50)) == 13 * 7 + 7 * 4 + 4 * 2
