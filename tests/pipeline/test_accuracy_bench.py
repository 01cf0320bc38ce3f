"""The benchmark of accuracy: its folds leak nothing, and its last line says what it is for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from benchmarks import accuracy, labelled

from lineside.contract.dataset import Split


def test_folds_hold_every_picture_once_and_divide_no_group(tmp_path: Path) -> None:
    labelled.draw(tmp_path)
    records = labelled.read(tmp_path).records
    parts = labelled.folds(records, 4)
    assert sorted(record.digest for part in parts for record in part) == sorted(record.digest for record in records)
    groups = [{record.group for record in part} for part in parts]
    assert sum(len(names) for names in groups) == len(set.union(*groups)) == 10


@pytest.mark.real_data
def test_the_real_pictures_lie_on_the_sides_their_readme_says(metal_tags: Path) -> None:
    data = labelled.read(metal_tags)
    assert [len(data.side(side)) for side in (Split.TRAIN, Split.VAL, Split.TEST)] == [104, 30, 42]
    assert sum(len(record.boxes) for record in data.records) == 345
    assert all(data.path(record).exists() for record in data.records)


@pytest.mark.parametrize("ways", [("--on", "val"), ("--folds", "2")])
def test_the_last_line_says_how_good_and_how_quick(
    ways: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["accuracy", "--quick", "--threads", "1", "--set", "epochs=1", "--json", *ways])
    accuracy.main()
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"map50", "map", "map_spread", "int8_map_drop", "int8_speedup", "train_cpu_s"} <= told.keys()
    assert told["epochs"] == [1]
    assert 0 <= told["map"] <= told["map50"] <= 1
