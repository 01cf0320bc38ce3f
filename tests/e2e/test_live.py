"""What people see of a device while it decides: its pictures with the boxes, how fast it is, what it left out, and what
is wrong with it; through the real runtime, agent and control plane."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image

from lineside.contract.telemetry import TelemetryPoint
from tests.e2e import processes
from tests.e2e.plant import Plant, Station
from tests.eventually import eventually
from tests.runtime.conftest import SIDE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("plant")]

INFERENCE = "tags.inference"
SOURCES = {
    "inbox": {"kind": "folder"},
    "plc": {"kind": "requests", "over": "bus", "topic": "plc/ask"},  # and no policy allows it
}


def ask(plant: Plant, path: str, **data: str) -> str:
    """A part of the device's page, as its buttons ask for it."""
    origin = {"Origin": plant.client.url}
    answer = httpx.post(plant.client.url + path, data=data, headers=plant.local | origin)
    answer.raise_for_status()
    return answer.text


def live_picture(plant: Plant, station: Station) -> str:
    """The panel of the live picture once it shows one, while images arrive."""
    panel = ask(plant, f"/devices/{station.name}/live", component=INFERENCE)

    def shown() -> str | None:
        station.feed(1)
        address = re.search(r'hx-get="([^"]+)"', panel)
        assert address, panel
        part = plant.page(address[1].replace("&amp;", "&"))
        return part if "<figure>" in part else None

    found = eventually(shown)
    assert found is not None
    return found


def test_a_device_is_seen_while_it_decides(tmp_path: Path) -> None:
    with Plant(tmp_path, "--worker", "off") as plant:
        plant.device("twin-1", twin=True)
        station = plant.device("cell-1")
        model = plant.release("first")
        plant.deploy(model, sources=SOURCES)
        plant.wait_runs(station, model)
        (station.root / "inbox" / "notes.png").write_bytes(b"no image")

        panel = live_picture(plant, station)
        jpeg = re.search(r'src="data:image/jpeg;base64,([^"]+)"', panel)
        assert jpeg
        assert Image.open(io.BytesIO(base64.b64decode(jpeg[1]))).size == (SIDE, SIDE)
        assert panel.count("<rect ") == 1
        assert re.search(r"inbox · \d{5}\.png, .* · tags:1 · [\d.]+ ms · bright 1\.00", panel)
        inquiry = re.search(r"/answers/([^?]+)\?", panel)
        assert inquiry
        ask(plant, f"/devices/{station.name}/answers/{inquiry[1]}/end")
        saved = tmp_path / "now.jpg"
        station.feed(1)
        where = ("--save", str(saved), "--root", str(plant.root), "--json")
        seen = processes.start(("lineside.cli", "devices", "look", "cell-1", INFERENCE, *where), tmp_path / "look.log")
        eventually(lambda: station.feed(1) or seen.poll() is not None)
        assert seen.returncode == 0, (tmp_path / "look.log").read_text()
        told = json.loads((tmp_path / "look.log").read_text())
        assert [one["class"] for one in told["detections"]] == ["bright"]
        assert Image.open(io.BytesIO(saved.read_bytes())).size == (SIDE, SIDE)
        looked = [one for one in plant.client.audit(subject="cell-1").entries if one.action == "device.ask"]
        assert len(looked) == 2

        within_a_minute(lambda: bool(plant.refusals("request.bus_forbidden")))
        event = plant.refusals("request.bus_forbidden")[0]
        assert (event.kind, event.subject) == ("device.alarm", "cell-1")
        page = plant.page("/devices/cell-1")
        assert f"{INFERENCE}, source plc: The local bus refuses SubscribeToTopic on plc/ask" in page
        assert "accessControl, aws.greengrass.ipc.pubsub" in page
        plant.wait_results(station)
        expected = (station.fed, 0, {"no image": 1})
        within_a_minute(lambda: summed(plant.client.device_telemetry("cell-1").points) == expected)
        points = plant.client.device_telemetry("cell-1").points
        assert all(one.fps > 0 and one.latency_p95_ms for one in points if one.decided)


def within_a_minute(condition: Callable[[], bool]) -> None:
    """Waits for what devices say once a minute, and asks once a second."""
    pause = threading.Event()
    eventually(lambda: condition() or pause.wait(1.0))


def summed(points: tuple[TelemetryPoint, ...]) -> tuple[int, int, dict[str, int]]:
    """Decided, failed, skipped."""
    skipped: dict[str, int] = {}
    for one in points:
        for why, count in one.skipped.items():
            skipped[why] = skipped.get(why, 0) + count
    return sum(one.decided for one in points), sum(one.failed for one in points), skipped
