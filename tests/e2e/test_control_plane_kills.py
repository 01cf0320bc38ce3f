"""kill -9 of the control plane in training and in rollout: the next `lineside up` on the root goes on to the end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lineside.client.folder import upload_folder
from lineside.contract.rollout import DeviceProgress, Rollout, RolloutState
from lineside.contract.run import Run, RunRequest, RunState, Step, StepState
from tests.e2e import processes
from tests.e2e.plant import Plant
from tests.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("control plane")]

_EPOCHS = 8
_TRAINING = 90.0  # seconds for a step of a run
_SMALL = {"epochs": _EPOCHS, "input_width": 64, "input_height": 64, "batch": 4, "min_map": 0.0, "min_test_images": 1}


def _start_training(plant: Plant, folder: Path) -> Run:
    rendered = processes.run("lineside.pipeline.render", str(folder), "--count", "16", "--groups", "8")
    assert rendered.returncode == 0, rendered.stderr
    dataset = upload_folder(plant.client, folder, "tags", lambda done, total, what: None).version
    return plant.client.start_run(RunRequest(model="tags", dataset=dataset.id, trainer="compact", parameters=_SMALL))


def _finished(run: Run) -> dict[str, Step]:
    return {step.name: step for step in run.steps if step.state is StepState.DONE}


def _kill_and_start(plant: Plant) -> None:
    """kill -9 the server; its worker dies with it, and the next one has a worker of its own, exactly one."""
    (before,) = plant.workers()
    plant.kill()
    eventually(lambda: plant.workers() == [])
    plant.start()
    (after,) = eventually(plant.workers)
    assert after != before


def _epoch(plant: Plant, run: Run) -> int:
    return max((point.epoch for point in plant.client.run_curves(run.id)), default=0)


def _step(plant: Plant, run: Run, name: str) -> Step:
    return next(step for step in plant.client.run(run.id).steps if step.name == name)


def _resumed_after(plant: Plant, run: Run) -> list[int]:
    """Epochs after which a training went on, as the worker's log tells."""
    log = (plant.root / "worker.log").read_text()
    return [int(epoch) for epoch in re.findall(rf"run {run.id}: going on after epoch (\d+) of {_EPOCHS}", log)]


def test_killed_in_training_the_run_goes_on_after_its_last_epoch(tmp_path: Path) -> None:
    with Plant(tmp_path, "--worker", "auto") as plant:
        run = _start_training(plant, tmp_path / "rendered")
        eventually(lambda: _epoch(plant, run) >= 1, _TRAINING)
        before, reached = plant.client.run(run.id), _epoch(plant, run)
        assert set(_finished(before)) == {"collect", "split"}
        _kill_and_start(plant)
        eventually(lambda: _step(plant, run, "train").state is StepState.DONE, _TRAINING)
        (resumed,) = _resumed_after(plant, run)
        assert reached <= resumed < _EPOCHS

        trained = plant.client.run(run.id)
        _kill_and_start(plant)  # once more, in whatever comes after training
        eventually(lambda: plant.client.run(run.id).finished_at, _TRAINING)
        ended = plant.client.run(run.id)
        assert (ended.state, ended.model_version) == (RunState.SUCCEEDED, 1)
        for earlier in (before, trained):
            assert _finished(earlier).items() <= _finished(ended).items()  # times and outputs as they were
        points = Counter(point.epoch for point in plant.client.run_curves(run.id) if point.series == "loss")
        assert points == Counter(range(1, _EPOCHS + 1))
        assert plant.client.verify_audit().findings == ()
        assert _resumed_after(plant, run) == [resumed]  # what was trained was not trained again
        assert len(plant.client.models()) == 1
        assert len(plant.workers()) == 1


def _progress(rollout: Rollout) -> Counter[str]:
    return sum((Counter(wave.by) for wave in rollout.counts), Counter[str]())


_BEGUN = {DeviceProgress.INSTALLING.value, DeviceProgress.HEALTHY.value}
_MOMENTS: dict[str, Callable[[Rollout], bool]] = {
    "before any device was told": lambda rollout: True,
    "while the canary installs": lambda rollout: bool(_BEGUN.intersection(_progress(rollout))),
    "in the second wave": lambda rollout: rollout.wave == 1,
}


def test_killed_in_rollout_the_rollout_goes_on(tmp_path: Path) -> None:
    with Plant(tmp_path, "--worker", "off") as plant:
        plant.device("twin-1", twin=True)
        stations = [plant.device(f"cell-{number}") for number in (1, 2)]
        agents = [station.agent for station in stations]
        models = [plant.release("one"), plant.release("two")]
        for number, (moment, there) in enumerate(_MOMENTS.items()):
            model = models[number % 2]
            rollout = plant.deploy(model, topic=f"factory/line/{number}").rollout
            eventually(lambda: there(plant.client.rollout(rollout)))  # noqa: B023 called in this round
            plant.kill()
            plant.start()
            eventually(lambda: plant.client.rollout(rollout).finished_at)  # noqa: B023
            ended = plant.client.rollout(rollout)
            assert (ended.state, moment) == (RolloutState.SUCCEEDED, moment)
            assert _progress(ended) == {DeviceProgress.HEALTHY.value: 2}
            whys = [move.why for move in ended.history]
            assert len(whys) == len(set(whys)), whys  # no move was made twice
            for station in stations:
                assert plant.shown(station).desired_revision == number + 1  # and no device told twice
                assert plant.runs(station, model)
                assert len(station.runtimes()) == 1
        assert [station.agent for station in stations] == agents
        assert all(agent and agent.poll() is None for agent in agents)  # they found it again at the same address
