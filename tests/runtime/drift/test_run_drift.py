"""The runtime as a process with a real broker: windows arrive with every frame, over a restart, and drift is raised."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lineside.contract.drift import BASELINE_FILE, DriftWindow
from lineside.runtime.drift.gathering import baseline_of
from lineside.runtime.model import Model
from tests.eventually import eventually
from tests.runtime.conftest import encoded, squares
from tests.runtime.sinks.broker import Broker, Listener
from tests.runtime.test_run import Device, put


@pytest.fixture
def device(tmp_path: Path, bright: Model, bright_folder: Path) -> Iterator[Device]:
    """A device whose model was tested on pictures with one bright square each."""
    model = Path(shutil.copytree(bright_folder, tmp_path / "model"))
    baseline = baseline_of(bright, [encoded(squares((8 * n, 8))) for n in range(7)])
    (model / BASELINE_FILE).write_bytes(msgspec.json.encode(baseline))
    made = Device(tmp_path / "device", model)
    made.configuration["drift"] = {"every_minutes": 0.05}
    yield made
    if made.process and made.process.poll() is None:
        made.stop(signal.SIGKILL)


@pytest.mark.mosquitto
def test_windows_arrive_and_pictures_without_anything_are_drift(
    device: Device, broker: Broker, listener: Listener
) -> None:
    settings = broker.settings("cam-1")
    device.environment = {
        "LINESIDE_MQTT_HOST": settings.host,
        "LINESIDE_MQTT_PORT": str(settings.port),
        "LINESIDE_CA": str(settings.ca),
        "LINESIDE_CERT": str(settings.certificate),
        "LINESIDE_KEY": str(settings.key),
    }
    empty, given = encoded(squares()), 0

    def heard() -> list[DriftWindow]:
        return [msgspec.json.decode(one, type=DriftWindow) for one in listener.on("lineside/v1/cam-1/drift")]

    def raised() -> bool:
        nonlocal given
        for _ in range(3):
            put(device.inbox, f"{given}.png", empty)
            given += 1
        return any(event["event"] == "drift.raised" for event in device.events())

    device.start()
    device.ready()
    eventually(raised)
    assert device.stop() == 0
    device.start()
    eventually(lambda: sum(one.frames for one in heard()) == given)
    assert device.stop() == 0
    assert len({one.key for one in heard()}) == len(heard()) >= 2
    assert all(one.sketches["detections"].mean == 0.0 for one in heard())
    reasons = [str(event["why"]) for event in device.events() if event["event"] == "drift.raised"]
    assert "detections below" in reasons[0]
