"""Single stages against canned answers: what each asks, and how each ends."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.cli.demo.approval import approve
from lineside.cli.demo.data import dataset_name, import_data
from lineside.cli.demo.rollout import roll_out
from lineside.cli.demo.scene import Scene, Settings
from lineside.cli.demo.training import find_or_start, train
from lineside.client import Client
from lineside.contract.device import DevicePage
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState
from lineside.contract.rollout import RolloutState
from lineside.contract.run import RunPage, RunState
from tests.cli import values
from tests.cli.control_plane import CannedControlPlane

APPROVED = msgspec.structs.replace(values.MODEL, state=ModelState.APPROVED, decided_by="ann")
REJECTED = msgspec.structs.replace(values.MODEL, state=ModelState.REJECTED, reason="blurred")


def _replace(value: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(value, **changes)


def test_yes_approves(scene: Scene, plane: CannedControlPlane) -> None:
    plane.answers["POST /models/metal-tags/1/approve"] = APPROVED
    assert approve(scene, values.MODEL) == APPROVED
    assert plane.asked[-1].body["reason"] == "asked for by the demo"


def test_without_yes_a_person_approves_elsewhere(scene: Scene, plane: CannedControlPlane, words: io.StringIO) -> None:
    asking = dataclasses.replace(scene, settings=Settings())
    scene.plane.tick = lambda: plane.answers.update({"GET /models/metal-tags/1": APPROVED})
    assert approve(asking, values.MODEL) == APPROVED
    assert f"lineside models approve metal-tags:1 --root {scene.root.path}" in words.getvalue()
    assert "mAP50 0.780, mAP50-95 0.470" in words.getvalue()


def test_a_model_somebody_rejects_ends_the_demo(scene: Scene, plane: CannedControlPlane) -> None:
    asking = dataclasses.replace(scene, settings=Settings())
    plane.answers["GET /models/metal-tags/1"] = REJECTED
    with pytest.raises(LinesideError, match="blurred") as refusal:
        approve(asking, values.MODEL)
    assert refusal.value.code == "demo.not_approved"


def test_an_approved_model_is_not_asked_about_again(scene: Scene, plane: CannedControlPlane) -> None:
    assert approve(scene, APPROVED) == APPROVED
    assert plane.asked == []
    assert scene.unchanged == ["approval"]


def test_the_dataset_is_named_after_its_folder(scene: Scene, plane: CannedControlPlane, tmp_path: Path) -> None:
    folder = tmp_path / "my plates (2026)"
    folder.mkdir()
    (folder / "annotations.json").write_text("{}")
    assert import_data(scene, folder) == values.DATASET
    assert plane.asked[-1].body["name"] == "my-plates-2026"
    assert dataset_name(Path("/")) == "data"
    assert scene.unchanged == []


def test_a_run_that_an_interrupted_demo_left_is_followed(plane: CannedControlPlane) -> None:
    waiting = _replace(values.RUN, state=RunState.QUEUED)
    plane.answers["GET /runs"] = RunPage(runs=(waiting,), total=1)
    assert find_or_start(Client(plane.url), values.RUN.request) == waiting
    assert plane.asked[-1].query["states"] == "queued,running"
    plane.answers["GET /runs"] = RunPage(runs=(), total=0)
    find_or_start(Client(plane.url), values.RUN.request)
    assert plane.asked[-1].route == "POST /runs"


def test_cached_steps_count_as_unchanged(scene: Scene) -> None:
    assert train(scene, values.DATASET) == (values.RUN, values.MODEL)
    assert scene.unchanged == ["collect"]


def test_a_run_that_fails_ends_the_demo_with_its_reason(scene: Scene, plane: CannedControlPlane) -> None:
    failed = _replace(values.RUN, state=RunState.FAILED, model_version=None, error=values.REFUSAL)
    plane.answers["GET /runs/run-1"] = failed
    with pytest.raises(LinesideError, match=r"model\.onnx is not what was signed") as failure:
        train(scene, values.DATASET)
    assert failure.value.next == f"See {scene.worker_log}"


def test_a_rollout_that_fails_ends_the_demo_with_the_device_and_its_reason(
    scene: Scene, plane: CannedControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene.fleet, "start", lambda name: True)
    plane.answers["GET /rollouts/ro-1"] = _replace(values.ROLLOUT, state=RolloutState.FAILED)
    with pytest.raises(LinesideError, match="tag-station-2: The artifact") as failure:
        roll_out(scene, values.MODEL)
    assert failure.value.code == "demo.rollout_failed"
    assert [asked.body["groupName"] for asked in plane.asked if asked.route == "POST /deployments"] == ["demo-line"]


def test_a_rollout_is_over_when_every_device_was_seen_healthy_at_the_digest(
    scene: Scene, plane: CannedControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene.fleet, "start", lambda name: name == "tag-station-3")
    plane.answers["GET /rollouts/ro-1"] = _replace(values.ROLLOUT, state=RolloutState.SUCCEEDED)
    names = ("tag-station-1", "tag-station-2", "tag-station-3")
    readings = [
        [values.device(name) for name in names],  # seen before this demo began
        [values.device(name, values.OTHER, last_seen="2999-01-01T00:00:00.000Z") for name in names],
        [values.device(name, last_seen="2999-01-01T00:00:00.000Z", healthy=name != names[0]) for name in names],
        [values.device(name, last_seen="2999-01-01T00:00:00.000Z") for name in names],
    ]
    pages = (DevicePage(devices=tuple(reading), total=3) for reading in readings)
    scene.plane.tick = lambda: plane.answers.update({"GET /devices": next(pages)})
    stations, rollout = roll_out(scene, values.MODEL)
    assert stations == names
    assert (rollout.state, list(pages)) == (RolloutState.SUCCEEDED, [])
    assert scene.unchanged == ["rollout"]
