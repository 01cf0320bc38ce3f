"""A device whose key lies in a PKCS#11 token (SoftHSM) joins a real control plane, runs, is given secrets, restarts."""

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
from tests.cli.eventually import eventually
from tests.e2e import processes
from tests.e2e.plant import GROUP, PATIENCE, Plant, Station

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]

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


def test_a_device_with_a_key_in_a_token_joins_runs_and_opens_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_token(tmp_path / "hsm", monkeypatch)
    with Plant(tmp_path) as plant:
        plant.client.set_secret("line1/database", b"hunter2")
        station = Station(tmp_path, "cell-1")
        joined = station.join(plant.token(), "--key", token.uri)
        assert joined.returncode == 0, joined.stdout + joined.stderr
        plant.stations.append(station)
        station.start()
        _deploy(plant, tmp_path)
        eventually(lambda: plant.shown(station).healthy, PATIENCE)
        _holds_its_secret(station)
        assert _identity_key_is_no_file(station)
        station.end(signal.SIGTERM)
        station.start()
        plant.client.set_secret("line1/database", b"new")
        paths = Paths(station.root)
        kept = Secrets(paths.secrets, open_keys(paths))
        eventually(lambda: kept.get("line1/database").text == "new", PATIENCE)


def _deploy(plant: Plant, folder: Path) -> None:
    (folder / "recipe.yaml").write_text(RECIPE)
    done = processes.run("lineside.cli", "components", "add", str(folder / "recipe.yaml"), "--root", str(plant.root))
    assert done.returncode == 0, done.stderr
    spec = ComponentSpec(component_version="1.0.0")
    plant.client.deploy(DeploymentDocument(group_name=GROUP, components={NAME: spec}))


def _holds_its_secret(station: Station) -> None:
    paths = Paths(station.root)
    kept = Secrets(paths.secrets, open_keys(paths))
    assert kept.get("line1/database").text == "hunter2"


def _identity_key_is_no_file(station: Station) -> bool:
    paths = Paths(station.root)
    keys = open_keys(paths)
    return keys.exists(CURRENT) and keys.file(CURRENT) is None and not paths.key.exists()
