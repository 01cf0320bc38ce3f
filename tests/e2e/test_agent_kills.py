"""kill -9 of an agent at random moments, while it installs and while it runs: no process left, a known state after."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator

import pytest

from lineside.contract.model import ModelVersion
from lineside.contract.rollout import RolloutState
from tests.e2e import processes
from tests.e2e.plant import Plant, Station
from tests.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plant")]

_KILLS = 5
_LATEST = 3.0  # seconds after a deployment in which a device has it installed, on most machines


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with Plant(tmp_path_factory.mktemp("plant"), "--worker", "off") as made:
        made.device("twin-1", twin=True)
        yield made


def _gone(station: Station) -> bool:
    """Whether nothing that belongs to the device is left."""
    return not processes.about(station.root)


def _sound(plant: Plant, station: Station, model: ModelVersion) -> None:
    """The device runs the model, once, and all that it keeps is what its name says."""
    plant.wait_runs(station, model)
    eventually(lambda: len(station.runtimes()) == 1)
    for file in (station.root / "store" / "sha256").glob("??/*"):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.name
    assert not list((station.root / "packages").glob("*/*/*.tmp"))


def test_killed_while_it_installs(plant: Plant) -> None:
    moments = random.Random(2)
    station = plant.device("cell-1")
    models = [plant.release(name) for name in ("one", "two", "three")]  # a device keeps two, and fetches the third anew
    for number in range(_KILLS):
        model = models[number % 3]
        rollout = plant.deploy(model, topic=f"factory/line/{number}").rollout
        threading.Event().wait(moments.uniform(0, _LATEST))
        station.kill()
        eventually(lambda: _gone(station))
        station.start()
        eventually(lambda: plant.client.rollout(rollout).state is RolloutState.SUCCEEDED)  # noqa: B023
        _sound(plant, station, model)
    station.kill()
    eventually(lambda: _gone(station))
    plant.client.revoke_device(station.name)


def test_killed_while_it_runs_no_result_is_lost_or_doubled(plant: Plant) -> None:
    moments = random.Random(3)
    station = plant.device("cell-2")
    model = plant.release("four")
    plant.deploy(model)
    plant.wait_runs(station, model)
    for _ in range(_KILLS):
        station.feed(30)
        threading.Event().wait(moments.uniform(0, 0.6))
        station.kill()
        eventually(lambda: _gone(station))
        station.start()
        eventually(lambda: len(station.runtimes()) == 1)
    _sound(plant, station, model)
    found = plant.wait_results(station)
    assert {result.digest for result in found} == {model.digest}
