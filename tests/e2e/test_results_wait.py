"""While the broker is away, results wait on their device's disk; afterwards each is there, exactly once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lineside.runtime.status import Status
from tests.e2e.plant import MODEL, Plant, Station
from tests.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plant")]


def _decided(station: Station) -> int:
    """Pictures its runtime has seen; one runtime lives all through the test."""
    work = station.root / "work" / f"{MODEL}.inference"
    status: Status = msgspec.json.decode((work / "status.json").read_bytes(), type=Status)
    return status.seen


def _outage(plant: Plant, station: Station, end: Callable[[], None]) -> None:
    """Pictures arrive before, at, during and after the end of the control plane."""
    station.feed(20)
    end()
    station.feed(40)
    eventually(lambda: _decided(station) == station.fed)  # with nobody there to take them
    plant.start()
    station.feed(20)
    plant.wait_results(station)


def test_every_result_arrives_once_though_the_control_plane_was_away(tmp_path: Path) -> None:
    with Plant(tmp_path, "--worker", "off") as plant:
        plant.device("twin-1", twin=True)
        station = plant.device("cell-1")
        model = plant.release("first")
        plant.deploy(model, topic="factory/line/tags")
        plant.wait_runs(station, model)
        (runtime,) = station.runtimes()
        _outage(plant, station, plant.stop)
        _outage(plant, station, plant.kill)
        assert station.runtimes() == [runtime]  # it went on deciding all the while
        assert {result.digest for result in plant.results(station)} == {model.digest}
