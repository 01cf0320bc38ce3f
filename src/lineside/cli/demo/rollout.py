"""The rollout: devices join, the release is deployed to their group, and each proves that it runs it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lineside.cli.demo.display import Stage
from lineside.cli.demo.fleet import GROUP, released_digest, seen_since
from lineside.cli.demo.scene import Scene
from lineside.cli.options import ModelRef
from lineside.cli.release import release_document
from lineside.client import Client
from lineside.contract.device import Device
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelVersion
from lineside.contract.rollout import DeviceProgress, Rollout, RolloutDevice, RolloutState

TOPIC = "factory/demo-line/tags"
"""The topic of the user's choice on which the demo's devices publish too."""

CONFIGURATION: dict[str, Any] = {"topic": TOPIC, "capture": {"random": 0.1}}
"""What the demo's devices are configured with."""

_SECONDS = 300.0  # without any device getting on
_LOST = {RolloutState.FAILED, RolloutState.ABORTED, RolloutState.SUPERSEDED}
_DONE = {
    DeviceProgress.WAITING: 0.0,
    DeviceProgress.NOTIFIED: 0.25,
    DeviceProgress.INSTALLING: 0.6,
    DeviceProgress.SOAKING: 0.8,
    DeviceProgress.UNKNOWN: 0.25,
    DeviceProgress.HEALTHY: 1.0,
    DeviceProgress.FAILED: 1.0,
}


def roll_out(
    scene: Scene, model: ModelVersion, stations: Sequence[str] = (), configuration: dict[str, Any] = CONFIGURATION
) -> tuple[tuple[str, ...], Rollout]:
    """Deploy the model to the demo's devices and wait until all are healthy; their names and the rollout. Without
    `stations` the devices are started first, and join if they never did."""
    with scene.display.stage("rollout", "Roll out to the devices") as stage:
        began = now()
        stations = tuple(stations) or _start_devices(scene)
        rollout = _deploy(scene, model, configuration)
        if rollout.state is RolloutState.SUCCEEDED:
            scene.unchanged.append("rollout")
        rollout = _follow(scene, rollout, stage)
        _wait_healthy(scene, stations, model, began)
        stage.outcome = f"{len(stations)} devices healthy at {model.digest.removeprefix('sha256:')[:12]}"
    return stations, rollout


def _start_devices(scene: Scene) -> tuple[str, ...]:
    stations = scene.fleet.stations(scene.settings.devices)
    joined = [name for name in stations if scene.fleet.start(name)]
    if not joined:
        scene.unchanged.append("devices")
    return stations


def _deploy(scene: Scene, model: ModelVersion, configuration: dict[str, Any]) -> Rollout:
    def deploy(client: Client) -> Rollout:
        reference = ModelRef(model.name, model.version)
        document = release_document(client.components(), GROUP, reference, configuration)
        return client.rollout(client.deploy(document).rollout)

    return scene.plane.ask(deploy)


def _follow(scene: Scene, rollout: Rollout, stage: Stage) -> Rollout:
    def look(client: Client) -> tuple[Rollout, tuple[RolloutDevice, ...]]:
        return client.rollout(rollout.id), client.rollout_devices(rollout.id).devices

    def moved(seen: tuple[Rollout, tuple[RolloutDevice, ...]]) -> object:
        for device in seen[1]:
            stage.move(device.device, _DONE[device.progress], device.progress.value)
        return seen[1]

    ended, devices = scene.plane.wait(
        look,
        lambda seen: seen[0].state is RolloutState.SUCCEEDED or seen[0].state in _LOST,
        what=f"rollout {rollout.id} to go on",
        where=str(scene.root.logs),
        seconds=_SECONDS,
        moved=moved,
    )
    if ended.state in _LOST:
        why = next((f"{d.device}: {d.error.message}" for d in devices if d.error), ended.state.value)
        raise LinesideError("demo.rollout_failed", rollout=ended.id, why=why.rstrip("."), root=scene.root.path)
    return ended


def _wait_healthy(scene: Scene, stations: Sequence[str], model: ModelVersion, began: str) -> None:
    def all_healthy(devices: list[Device]) -> bool:
        mine = [device for device in devices if device.name in stations]
        good = all(device.healthy and released_digest(device, model.name) == model.digest for device in mine)
        return good and seen_since(mine, stations, began)

    scene.plane.wait(
        Client.devices,
        all_healthy,
        what="every device to be healthy at the released digest",
        where=str(scene.root.logs),
        seconds=_SECONDS,
    )


def now() -> str:
    """This moment, RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
