"""A new version of a model reaches a device whose runtime goes on: no restart, each picture decided once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.plant import Plant

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plant")]


def test_a_new_model_is_swapped_in_on_a_device_that_goes_on_deciding(tmp_path: Path) -> None:
    with Plant(tmp_path, "--worker", "off") as plant:
        plant.device("twin-1", twin=True)
        station = plant.device("cell-1")
        first = plant.release("first")
        plant.deploy(first)
        plant.wait_runs(station, first)
        (runtime,) = station.runtimes()
        station.feed(10)
        plant.wait_results(station)
        second = plant.release("second")
        deployment = plant.deploy(second)
        station.feed(30)
        plant.wait_runs(station, second)
        plant.wait_rolled_out(deployment)
        station.feed(10)
        results = sorted(plant.wait_results(station), key=lambda one: one.sequence)
        assert station.runtimes() == [runtime]
        digests = [one.digest for one in results]
        assert set(digests[:10]) == {first.digest}
        assert set(digests[-10:]) == {second.digest}
        assert sum(before != after for before, after in pairwise(digests)) == 1
        report = plant.shown(station).report
        assert report is not None
        said = [one.probe for one in report.running if one.name.endswith(".inference")]
        assert [one["model_digest"] for one in said] == [second.digest]
