"""Few columns or many, the answers are numpy's own."""

from __future__ import annotations

import numpy as np
import pytest

from lineside.runtime.heads.columns import finite, highest, place_of_highest


@pytest.mark.parametrize("columns", [1, 2, 3, 8, 9, 80])
def test_as_numpy_says_of_rows(columns: int) -> None:
    rng = np.random.default_rng(columns)
    scores = (rng.integers(0, 5, (500, columns)) / 5).astype(np.float32)  # with ties: the first place counts
    assert np.array_equal(highest(scores), scores.max(axis=1))
    assert np.array_equal(place_of_highest(scores), scores.argmax(axis=1))


@pytest.mark.parametrize("columns", [3, 80])
def test_a_row_with_a_value_that_is_no_number_reaches_no_threshold(columns: int) -> None:
    scores = np.full((3, columns), 0.5, np.float32)
    scores[1, columns - 1] = np.nan
    assert (highest(scores) >= np.float32(0.1)).tolist() == [True, False, True]


def test_rows_that_are_not_finite_are_left_out_and_no_others() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert np.array_equal(finite(rows), rows)
    rows[0, 1], rows[2, 0], rows[3, 2] = np.inf, -np.inf, np.nan
    assert np.array_equal(finite(rows), [[3.0, 4.0, 5.0]])


def test_no_rows_at_all() -> None:
    none = np.zeros((0, 3), np.float32)
    assert (len(highest(none)), len(place_of_highest(none)), len(finite(none))) == (0, 0, 0)
