"""The split that every score rests on."""

from __future__ import annotations

import pytest

from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.errors import LinesideError
from lineside.pipeline.steps.split import refuse_leaks


def record(name: str, split: Split, group: str | None = None) -> ImageRecord:
    return ImageRecord(digest=f"sha256:{name}", file_name=name, width=10, height=10, split=split, group=group)


def test_a_group_on_two_sides_is_refused_by_name() -> None:
    records = [record("a", Split.TRAIN, "tag 7"), record("b", Split.TEST, "tag 7"), record("c", Split.TEST, "tag 8")]
    with pytest.raises(LinesideError) as caught:
        refuse_leaks(records)
    assert caught.value.code == "split.leak"
    assert caught.value.params == {"group": "tag 7", "splits": "test and train", "count": "1"}


def test_one_picture_on_two_sides_is_a_leak_too() -> None:
    with pytest.raises(LinesideError, match=r"split\.leak"):
        refuse_leaks([record("a", Split.TRAIN), record("a", Split.VAL)])


def test_groups_that_stay_together_are_fine() -> None:
    refuse_leaks([record("a", Split.TRAIN, "1"), record("b", Split.TRAIN, "1"), record("c", Split.TEST, "2")])
