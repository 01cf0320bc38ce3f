"""The real control plane under load: `python -m lineside.server` as a process of its own, and its people's API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fleet.population import GROUP
from benchmarks.fleet.process import Server
from lineside.client import Client
from lineside.client.own_component import add_component
from lineside.contract.deployment import ComponentSpec, Deployment, DeploymentDocument
from lineside.contract.rollout import Rollout, RolloutPlan, WaveSpec

COMPONENT = "com.example.Fleet"
_RECIPE = """\
RecipeFormatVersion: "2020-01-25"
ComponentName: {name}
ComponentVersion: {version}
ComponentPublisher: The benchmark
Manifests:
  - Platform: {{os: linux}}
    Lifecycle: {{Run: "sleep infinity"}}
"""


class Plane(Server):
    """A control plane on a root, with settings in place of defaults; no worker."""

    def __init__(self, root: Path, settings: Sequence[str]) -> None:
        self.root = root
        ports = ["--port", "0", "--device-port", "0", "--mqtt-port", "0"]
        arguments = ["-m", "lineside.server", "--root", str(root), "--worker", "off", *ports, *settings]
        super().__init__(arguments, root / "bench.err")

    def __enter__(self) -> Plane:
        super().__enter__()
        found = json.loads((self.root / "server.json").read_bytes())
        self.device_port = int(found["device_url"].rpartition(":")[2])
        self.client = Client(found["people_url"], (self.root / "keys" / "local.token").read_text().strip())
        return self

    def release(self, version: str, folder: Path) -> None:
        """Sign and publish a version of the fleet's component."""
        recipe = folder / f"{COMPONENT}-{version}.yaml"
        recipe.write_text(_RECIPE.format(name=COMPONENT, version=version))
        add_component(self.client, recipe)

    def deploy(self, version: str) -> Deployment:
        """Start the rollout of a version to the whole fleet, in one wave."""
        plan = RolloutPlan(waves=(WaveSpec(percent=100),))
        spec = ComponentSpec(component_version=version)
        document = DeploymentDocument(components={COMPONENT: spec}, group_name=GROUP, rollout=plan)
        return self.client.deploy(document)

    def rollout(self, deployment: str) -> Rollout:
        """The rollout of a deployment."""
        return next(one for one in self.client.rollouts().rollouts if one.deployment == deployment)
