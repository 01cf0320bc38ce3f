from __future__ import annotations

import pytest
import torch

from lineside.pipeline.trainers.assign import assign
from lineside.pipeline.trainers.geometry import decode_boxes, encode_boxes, grid, overlaps, paired_overlaps
from lineside.pipeline.trainers.settings import STRIDES


def test_the_grid_has_a_row_for_every_cell() -> None:
    cells = grid(64, 32, STRIDES)
    assert cells.shape == (8 * 4 + 4 * 2 + 2 * 1, 3)
    assert cells[0].tolist() == [0, 0, 8]
    assert cells[9].tolist() == [1, 1, 8]
    assert cells[-1].tolist() == [1, 0, 32]


def test_overlaps() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    assert overlaps(boxes[:1], boxes)[0].tolist() == pytest.approx([1, 1 / 3, 0], abs=1e-6)
    iou, generalized = paired_overlaps(boxes[[0, 0]], boxes[[1, 2]])
    assert iou.tolist() == pytest.approx([1 / 3, 0], abs=1e-6)
    assert generalized.tolist() == pytest.approx([1 / 3, -700 / 900], abs=1e-6)


def test_encoding_is_the_inverse_of_decoding() -> None:
    cells = grid(64, 64, STRIDES)
    boxes = torch.tensor([[3.0, 4, 50, 20]]).expand(len(cells), 4)
    torch.testing.assert_close(decode_boxes(encode_boxes(boxes, cells), cells), boxes, atol=1e-3, rtol=0)


def test_every_box_gets_a_cell_and_a_cell_one_box() -> None:
    cells = grid(64, 64, STRIDES)
    boxes = torch.tensor([[2.0, 2, 30, 30], [14, 14, 50, 50], [50, 60, 62, 62]])  # two that overlap, and a thin one
    predicted = decode_boxes(torch.zeros(len(cells), 4), cells)
    found = assign(cells, predicted, torch.zeros(len(cells), 3), boxes)
    assert set(found.boxes.tolist()) == {0, 1, 2}
    assert len(set(found.cells.tolist())) == len(found.cells)


def test_a_picture_without_boxes_assigns_nothing() -> None:
    cells = grid(64, 64, STRIDES)
    found = assign(cells, torch.zeros(len(cells), 4), torch.zeros(len(cells), 0), torch.zeros(0, 4))
    assert len(found.cells) == len(found.boxes) == 0
