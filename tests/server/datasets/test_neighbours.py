"""The index of neighbours finds what comparing all with all finds, and no more work than it says."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.grouping import adjusted_rand, photographs
from PIL import Image

from lineside.server.datasets.pictures.near_duplicates import judge, pairs
from lineside.server.datasets.pictures.neighbours import neighbours
from lineside.server.datasets.pictures.patches import patch


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def families(count: int, size: int) -> np.ndarray:
    """Unit vectors in families of `size` that lie near one another."""
    random = np.random.default_rng(3)
    centres = np.repeat(random.normal(size=(count // size, 64)), size, axis=0)
    return unit(centres + 0.3 * random.normal(size=centres.shape))


def test_members_of_a_family_find_each_other_among_thousands() -> None:
    found = {tuple(pair) for pair in neighbours(families(2000, 4), 8).tolist()}
    wanted = {(a, b) for a in range(2000) for b in range(a + 1, a - a % 4 + 4)}
    assert len(wanted & found) / len(wanted) > 0.99
    assert len(found) <= 2000 * 8  # and not all 2 million


def test_the_same_vectors_give_the_same_pairs() -> None:
    vectors = families(1200, 3)
    assert (neighbours(vectors, 5) == neighbours(vectors.copy(), 5)).all()


def test_vectors_that_are_all_alike_are_no_more_work() -> None:
    found = neighbours(unit(np.ones((1500, 16))), 8)
    assert 1500 < len(found) <= 1500 * 8
    assert (found[:, 0] < found[:, 1]).all()


@pytest.mark.parametrize("count", [0, 1])
def test_one_alone_has_no_neighbour(count: int) -> None:
    assert neighbours(np.ones((count, 4), np.float32), 8).shape == (0, 2)


def test_few_are_compared_all_with_all() -> None:
    assert len(neighbours(families(8, 2), 8)) == 28


@pytest.mark.parametrize("own", [1.0, 0.45], ids=["own scenes", "one line"])
def test_things_are_told_apart_also_where_all_pictures_are_of_one_line(own: float) -> None:
    patches = [patch(picture) for picture in photographs(300, own)]
    level, groups = judge(300, pairs(patches))
    assert adjusted_rand([at // 5 for at in range(300)], groups) > 0.99
    assert (level > 0.6) == (own < 1)


def test_pictures_of_one_thing_alone_are_one_group_or_few() -> None:
    same = [patch(picture) for picture in list(photographs(5, 1.0))]
    blank = patch(Image.new("L", (90, 60)))
    _, groups = judge(6, pairs([*same, blank]))
    assert groups[5] == 5
