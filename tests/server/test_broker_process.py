"""A device at the broker of a real control plane: what is acknowledged is stored, until the device is revoked."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import httpx
import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from lineside.contract import topics
from lineside.contract.device import JoinAnswer, JoinRequest
from lineside.contract.result import Result
from lineside.server.testing import until
from lineside.server.testing_device import key_pem, make_csr, make_key
from tests.eventually import PATIENCE
from tests.server.processes import ControlPlaneProcess

FREE = ("--port", "0", "--device-port", "0", "--mqtt-port", "0")


def join(lineside: ControlPlaneProcess, name: str, folder: Path) -> tuple[JoinAnswer, ssl.SSLContext]:
    token = lineside.post("/devices/tokens", {})
    key = make_key()
    request = JoinRequest(token=token["token"], name=name, csr=make_csr(key, name))
    url = f"{token['url']}/device/v1"
    trusted = ssl.create_default_context(cadata=httpx.get(f"{url}/ca", verify=False).text)
    answer = httpx.post(f"{url}/join", content=msgspec.json.encode(request), verify=trusted)
    joined = msgspec.json.decode(answer.content, type=JoinAnswer)
    (folder / "device.pem").write_text(key_pem(key) + joined.certificate)
    context = ssl.create_default_context(cadata=joined.ca)
    context.load_cert_chain(folder / "device.pem")
    return joined, context


def result(sequence: int) -> bytes:
    return msgspec.json.encode(
        Result(
            device="cam-1",
            model="scratches",
            version=1,
            digest="sha256:" + "a" * 64,
            image=f"{sequence}.jpg",
            captured_at="2026-01-01T00:00:00.000Z",
            sequence=sequence,
            width=640,
            height=480,
            latency_ms=4.0,
        )
    )


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: set[int] = set()
    lost = threading.Event()
    with ControlPlaneProcess(tmp_path / "r", *FREE) as lineside:
        joined, context = join(lineside, "cam-1", tmp_path)
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="runtime", clean_session=False)
        client.on_publish = lambda client, data, mid, reason, properties: acknowledged.add(mid)
        client.on_disconnect = lambda *_: lost.set()
        client.tls_set_context(context)
        client.reconnect_delay_set(1, 1)
        client.connect(joined.mqtt_host or "", joined.mqtt_port or 0)
        client.loop_start()
        for sequence in range(200):
            client.publish(topics.results("cam-1"), result(sequence), 1)
        until(lambda: len(acknowledged) >= 20)
        lineside.end(9)
        safe = len(acknowledged)
    with ControlPlaneProcess(tmp_path / "r") as again:
        assert again.get("/results?limit=1")["total"] >= safe
        # The rest comes after the restart, each once.
        until(lambda: again.get("/results?limit=1")["total"] == 200)
        lost.clear()
        again.post("/devices/cam-1/revoke")
        assert lost.wait(PATIENCE)
        client.loop_stop()
