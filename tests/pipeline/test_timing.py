"""Times of files beside one another: what a share of one round says, and when more rounds are asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from lineside.contract.model import Signature, Timing
from lineside.pipeline.timing import MOST_ROUNDS, ROUNDS, timed, timing
from tests.pipeline.conftest import PLUGIN, SIDE, squares

sys.path.append(str(PLUGIN))
from speck_trainer import speck_model  # the plug-in is no part of the package

SIGNATURE = Signature(head="yolox", input_width=SIDE, input_height=SIDE, channels="bgr", scale=1.0, labels=("square",))


def test_a_share_is_one_of_the_same_round() -> None:
    """The machine gets three times as slow on the way: both files do, and the share does not move."""
    first = [10.0, 11.0, 9.0, 12.0, 30.0, 33.0, 31.0, 29.0, 30.0]
    told = timing([value * 0.6 for value in first], first)
    assert (told.rounds, told.ms, told.low_ms, told.high_ms) == (9, 17.4, 6.6, 18.0)
    assert (told.share, told.share_low, told.share_high) == (0.6, 0.6, 0.6)


@pytest.mark.parametrize(("count", "low", "high"), [(5, 1, 5), (9, 2, 8), (18, 5, 14), (27, 8, 20)])
def test_the_interval_of_a_median_is_between_sorted_rounds(count: int, low: int, high: int) -> None:
    """Where 95 % of medians of so many draws lie: P(Bin(9, 1/2) < 2) = 0.02, and so on."""
    told = timing([float(value) for value in range(count, 0, -1)], [1.0] * count)
    assert (told.share_low, told.share_high) == (low, high)


def test_doubt_asks_for_more_rounds_and_ends(tmp_path: Path) -> None:
    file, picture = tmp_path / "model.onnx", squares(0)[0]
    file.write_bytes(speck_model(1).SerializeToString())
    asked: list[int] = []

    def doubtful(timings: Sequence[Timing]) -> bool:
        asked.append(timings[0].rounds)
        return True

    (alone,) = timed([(file, SIGNATURE)], picture)
    assert (alone.rounds, alone.share) == (ROUNDS, 1.0)
    first, second = timed([(file, SIGNATURE)] * 2, picture, doubtful)
    assert first.rounds == second.rounds == MOST_ROUNDS
    assert asked == list(range(ROUNDS, MOST_ROUNDS, ROUNDS))
    assert second.share_low <= second.share <= second.share_high
