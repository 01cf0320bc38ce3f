"""A model that a device's runtime refuses: everybody who looks sees why, the model before decides, and it passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.contract.alarm import Raised, raised
from lineside.contract.event import Event
from lineside.contract.rollout import RolloutState
from tests.e2e import processes
from tests.e2e.plant import Plant, Station
from tests.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plant")]

CODE = "model.no_memory"
WHY = "200 MB are in use (memory_mb). What runs goes on."
BUDGET = 200  # MB: of the device's runtime, not of the twin's
SIDE = 1280  # pixels of an input for which more than the whole budget is needed


def told(plant: Plant, *words: str) -> str:
    """What a command says to people."""
    done = processes.run("lineside.cli", *words, "--root", str(plant.root), COLUMNS="1000")
    assert done.returncode == 0, done.stderr
    return done.stdout


def alarms(plant: Plant, station: Station) -> tuple[Raised, ...]:
    return raised(plant.shown(station).report)


def raised_events(plant: Plant) -> list[Event]:
    return [one for one in plant.refusals(CODE) if one.kind == "device.alarm"]


def ended(plant: Plant) -> list[Event]:
    found = plant.client.events(limit=1000, kind="device").events
    return [one for one in found if one.kind == "device.alarm_over" and CODE in one.message]


def failed(plant: Plant, rollout: str) -> bool:
    return plant.client.rollout(rollout).state is RolloutState.FAILED


def test_what_a_device_refuses_is_an_alarm_until_a_good_model_decides(tmp_path: Path) -> None:
    with Plant(tmp_path, "--worker", "off") as plant:
        plant.device("twin-1", twin=True)
        station = plant.device("cell-1")
        first = plant.release("first")
        plant.wait_rolled_out(plant.deploy(first, memory_mb=BUDGET))
        (runtime,) = station.runtimes()
        deployment = plant.deploy(plant.release("large", side=SIDE), policy="DO_NOTHING", memory_mb=BUDGET)

        rollout = deployment.rollout
        eventually(lambda: failed(plant, rollout))
        (device,) = plant.client.rollout_devices(rollout).devices
        assert device.error is not None
        assert (device.error.code, WHY in device.error.message) == ("component.probe_failed", True)
        for words in (told(plant, "rollouts", "devices", rollout), plant.page(f"/rollouts/{rollout}")):
            assert WHY in words

        (alarm,) = eventually(lambda: alarms(plant, station))
        assert (alarm.where, alarm.alarm.code) == ("tags.inference, model tags.model", CODE)
        (event,) = eventually(lambda: raised_events(plant))
        assert event.subject == "cell-1"
        for words in (told(plant, "devices", "show", "cell-1"), plant.page("/devices/cell-1")):
            assert CODE in words
            assert "The model before goes on." in words
            assert "Next: " in words
        assert CODE in plant.page("/events")

        station.feed(3)
        assert {one.digest for one in plant.wait_results(station)} == {first.digest}
        assert station.runtimes() == [runtime]

        third = plant.release("third")
        plant.wait_rolled_out(plant.deploy(third, memory_mb=BUDGET))
        plant.wait_runs(station, third)
        eventually(lambda: not alarms(plant, station))
        eventually(lambda: ended(plant))
        assert CODE not in told(plant, "devices", "show", "cell-1")
