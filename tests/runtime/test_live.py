"""The live picture, and a running line asked over its local API: nothing is kept while nobody looks."""

from __future__ import annotations

import http.client
import io
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from tritonclient.http import InferenceServerClient
from tritonclient.utils import InferenceServerException

from lineside.agent.link.pictures import live_picture
from lineside.contract.errors import LinesideError
from lineside.contract.inquiry import MAX_PICTURE
from lineside.contract.telemetry import Telemetry
from lineside.runtime.decider import Decider
from lineside.runtime.decode import Picture
from lineside.runtime.frames import Frame
from lineside.runtime.live import LOOKS_FOR, SIDE, Live
from lineside.runtime.models.library import Library
from tests.eventually import eventually
from tests.runtime.api.test_triton_client import picture_input
from tests.runtime.conftest import encoded, squares
from tests.runtime.sinks.broker import Broker, Listener
from tests.runtime.test_run import Device, put

PNG = encoded(squares((8, 16)))


@pytest.fixture
def decider(bright_folder: Path) -> Iterator[Decider]:
    library = Library(threads=1)
    yield Decider(library.load("bright", bright_folder), "cam-1")
    library.close()


def look_at(live: Live, decider: Decider, data: bytes | Picture) -> None:
    frame = Frame(source="cam", name="a.png", data=data, captured_at=1.0, arrived=0.0)
    verdict = decider.decide(frame)
    assert not isinstance(verdict, LinesideError)
    live.saw(frame, verdict)


def test_a_picture_comes_with_its_boxes_once_somebody_looks(decider: Decider) -> None:
    now = 100.0
    live = Live(lambda: now)
    look_at(live, decider, PNG)
    assert live.picture() is None  # nobody had looked before
    look_at(live, decider, PNG)
    seen = live.picture()
    assert seen is not None
    assert (seen.source, seen.image, seen.width, seen.height, seen.version) == ("cam", "a.png", 64, 64, 3)
    assert [(one.x, one.y) for one in seen.detections] == [(8.0, 16.0)]
    assert live.picture() is None  # each once
    now += LOOKS_FOR + 1
    look_at(live, decider, PNG)
    assert live._newest is None  # nobody looks any more, and nothing is held


@pytest.mark.parametrize("kind", ["file", "pixels"])
def test_a_large_picture_is_made_small(decider: Decider, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1100, 2200, 3), np.uint8)
    live = Live()
    live.picture()
    look_at(live, decider, Picture.of(noise) if kind == "pixels" else encoded(noise, "JPEG", quality=70))
    seen = live.picture()
    assert seen is not None
    assert (seen.width, seen.height) == (2200, 1100)
    assert len(seen.jpeg) <= MAX_PICTURE
    small = Image.open(io.BytesIO(seen.jpeg))
    assert small.width <= SIDE
    assert small.width == pytest.approx(2 * small.height, abs=2)


@pytest.fixture
def device(tmp_path: Path, bright_folder: Path) -> Iterator[Device]:
    made = Device(tmp_path / ("deep" * 30) / "device", bright_folder)  # its socket's name is too long for the system
    yield made
    if made.process and made.process.poll() is None:
        made.stop(signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_running_line_answers_over_its_local_api(device: Device) -> None:
    """Triton's client over the port; the agent, and nobody else, sees pictures, over the unix socket."""
    port = free_port()
    device.configuration["api"] = {"port": port}
    device.start()
    device.ready()
    with InferenceServerClient(f"127.0.0.1:{port}") as client:
        eventually(lambda: client.is_server_live())
        (listed,) = client.get_model_repository_index()
        assert listed["state"] == "READY"
        answer = client.infer(listed["name"], [picture_input()])
        assert answer.as_numpy("detection_boxes").tolist() == [[8.0, 16.0, 8.0, 8.0]]
        with pytest.raises(InferenceServerException, match="cannot be unloaded"):
            client.unload_model(listed["name"])
    by_port = http.client.HTTPConnection("127.0.0.1", port)
    by_port.request("GET", "/lineside/live")
    assert by_port.getresponse().status == 404
    by_port.close()
    assert live_picture("c", device.work) is None
    put(device.inbox, "seen.png", PNG)
    seen = eventually(lambda: live_picture("c", device.work))
    assert seen.image == "seen.png"
    assert len(seen.detections) == 1
    assert device.stop() == 0
    with pytest.raises(LinesideError, match=r"inquiry\.no_picture"):
        live_picture("c", device.work)


@pytest.mark.mosquitto
def test_a_running_line_tells_how_it_does(device: Device, broker: Broker, listener: Listener) -> None:
    settings = broker.settings("cam-1")
    device.environment = {
        "LINESIDE_MQTT_HOST": settings.host,
        "LINESIDE_MQTT_PORT": str(settings.port),
        "LINESIDE_CA": str(settings.ca),
        "LINESIDE_CERT": str(settings.certificate),
        "LINESIDE_KEY": str(settings.key),
        "LINESIDE_COMPONENT": "tags.inference",
    }
    device.start()
    device.ready()
    for number in range(3):
        put(device.inbox, f"{number}.png", PNG)
    device.until(lambda status: status.decided == 3 and status.published == 3)
    assert device.stop() == 0
    told = eventually(lambda: [one for topic, one in listener.heard if topic.endswith("/telemetry")])
    message = msgspec.json.decode(told[-1], type=Telemetry)
    assert (message.device, message.component) == ("cam-1", "tags.inference")
    assert message.sources["inbox"].decided == 3
    assert sum(message.sources["inbox"].latency.values()) == 3
