"""Devices whose key lies in a PKCS#11 token (SoftHSM) or a file: they join a real control plane, are given secrets,
change their keys, and start again."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lineside.agent.keys.opening import open_keys
from lineside.agent.keys.port import CURRENT
from lineside.agent.paths import Paths
from lineside.agent.secrets import Secrets
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from tests.agent.keys.tokens import make_token
from tests.e2e import processes
from tests.e2e.plant import GROUP, Plant, Station
from tests.eventually import eventually

pytestmark = [pytest.mark.slow]

_SECONDS = str(12 / 86_400)
"""A certificate's life in days."""
NAME = "com.example.Keeper"
RECIPE = f"""
RecipeFormatVersion: 2020-01-25
ComponentName: {NAME}
ComponentVersion: 1.0.0
ComponentConfiguration:
  DefaultConfiguration:
    accessControl:
      aws.greengrass.SecretManager:
        {NAME}:secrets:1: {{operations: ['*'], resources: [line1/database]}}
Manifests:
  - Platform: {{os: linux}}
    Lifecycle: {{Run: sleep 1d}}
"""


@pytest.mark.parametrize("kind", ["token", "file"])
def test_a_device_that_changes_its_key_all_the_time_keeps_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    key = make_token(tmp_path / "hsm", monkeypatch).uri if kind == "token" else "file"
    with Plant(tmp_path, "--certificate-days", _SECONDS) as plant:
        plant.client.set_secret("line1/database", b"hunter2")
        station = _joined(plant, tmp_path, key)
        keys = open_keys(Paths(station.root))
        kept = Secrets(Paths(station.root).secrets, keys)
        kept.set("own", b"set here")
        seen = {keys.public(CURRENT)}

        def changed() -> bool:
            assert (kept.get("line1/database").text, kept.get("own").text) == ("hunter2", "set here")
            seen.add(keys.public(CURRENT))
            return len(seen) > 3

        eventually(changed)
        assert plant.shown(station).healthy
        if kind == "token":
            _works_without_a_key_in_a_file(plant, station)
        station.end(signal.SIGTERM)
        station.start()
        plant.client.set_secret("line1/database", b"new")
        eventually(lambda: kept.get("line1/database").text == "new")


def _works_without_a_key_in_a_file(plant: Plant, station: Station) -> None:
    """Only the broker's own key is one, whose certificate opens nothing else."""
    eventually(Paths(station.root).mqtt_certificate.exists)
    files = [path for path in (station.root / "keys").iterdir() if path.is_file()]
    assert [path.name for path in files if b"PRIVATE KEY" in path.read_bytes()] == ["mqtt.key"]
    eventually(lambda: "link.broker" not in _conditions(plant, station))


def _joined(plant: Plant, folder: Path, key: str) -> Station:
    """A device that runs a component which names the secret."""
    station = Station(folder, "cell-1")
    joined = station.join(plant.token(), "--key", key)
    assert joined.returncode == 0, joined.stdout + joined.stderr
    plant.stations.append(station)
    station.start()
    _deploy(plant, folder)
    eventually(lambda: plant.shown(station).healthy)
    return station


def _conditions(plant: Plant, station: Station) -> list[str]:
    report = plant.shown(station).report
    assert report is not None
    return [one.code for one in report.conditions]


def _deploy(plant: Plant, folder: Path) -> None:
    (folder / "recipe.yaml").write_text(RECIPE)
    done = processes.run("lineside.cli", "components", "add", str(folder / "recipe.yaml"), "--root", str(plant.root))
    assert done.returncode == 0, done.stderr
    spec = ComponentSpec(component_version="1.0.0")
    plant.client.deploy(DeploymentDocument(group_name=GROUP, components={NAME: spec}))
