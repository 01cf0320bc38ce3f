"""Problems of the labels of one image with very many boxes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from lineside.contract.dataset import Box, ImageRecord, Split
from lineside.contract.rectangles import iou
from lineside.server.datasets import label_problems
from lineside.server.datasets.label_problems import CONTRADICTING, DOUBLED, problems

pytestmark = pytest.mark.sqlite_only


def record(boxes: list[Box]) -> ImageRecord:
    digest = "sha256:" + "0" * 64
    return ImageRecord(
        digest=digest, file_name="a.png", width=900, height=900, group=None, split=Split.TEST, boxes=tuple(boxes)
    )


def box(x: float, y: float, label: str = "dent", size: float = 40) -> Box:
    return Box(label=label, x=x, y=y, width=size, height=size)


@pytest.mark.parametrize("seed", range(5))
def test_the_pairs_found_are_those_that_all_pairs_have(seed: int) -> None:
    random = np.random.default_rng(seed)
    boxes = [box(*map(float, random.uniform(0, 30, 2)), str(random.choice(["dent", "rust"]))) for _ in range(60)]
    least = {True: DOUBLED, False: CONTRADICTING}
    wanted = sum(iou(a, b) >= least[a.label == b.label] for a, b in combinations(boxes, 2))
    assert wanted > 5
    assert len(list(problems(record(boxes)))) == wanted


def test_boxes_side_by_side_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_problems, "iou", lambda one, other: pytest.fail("compared"))
    assert list(problems(record([box(at * 10.0, 5) for at in range(80)]))) == []


def test_of_one_image_so_many_pairs_are_told_and_no_more() -> None:
    assert len(list(problems(record([box(5, 5)] * 5000)))) == 1000
