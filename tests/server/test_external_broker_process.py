"""A control plane with a Mosquitto that `lineside broker config mosquitto` configured, from the first command on."""

from __future__ import annotations

import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from lineside.cli.main import main
from lineside.contract import topics
from lineside.server.testing import free_socket, until
from tests.eventually import PATIENCE
from tests.server.adapters.mosquitto import PROGRAM
from tests.server.processes import ControlPlaneProcess
from tests.server.test_broker_process import join, result

pytestmark = pytest.mark.mosquitto


@contextmanager
def mosquitto(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "mosquitto.conf").open("a") as file:
        file.write("user root\n")
    process = subprocess.Popen([PROGRAM, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def lets_in(port: int, context: ssl.SSLContext) -> bool:
    """Whether the broker welcomes a device."""
    answered = threading.Event()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, data, flags, reason, properties: answered.set()
    client.tls_set_context(context)
    try:
        client.connect("127.0.0.1", port)
        client.loop_start()
        return answered.wait(1.0)
    except OSError:
        return False
    finally:
        client.disconnect()
        client.loop_stop()


def test_from_the_first_command_to_a_revoked_device(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with free_socket() as probe:
        port = probe.getsockname()[1]
    ports = ("--port", "0", "--device-port", "0", "--mqtt-url", f"mqtts://127.0.0.1:{port}")
    with ControlPlaneProcess(tmp_path / "r", *ports) as lineside:
        until(lambda: lineside.get("/overview")["needs"])
        assert "The MQTT broker at 127.0.0.1" in str(lineside.get("/overview")["needs"])
        assert main(["broker", "show", "--root", str(tmp_path / "r")]) == 1
        assert "cannot be used" in (said := capfd.readouterr().out)
        assert said.splitlines()[-1].startswith("Next: Start it, or let LINESIDE_MQTT_URL name the one there is")
        out = tmp_path / "mosquitto"
        command = ["broker", "config", "mosquitto", "--out", str(out), "--host", "127.0.0.1", "--port", str(port)]
        assert main([*command, "--topic", "factory/#", "--root", str(tmp_path / "r")]) == 0
        assert stat.S_IMODE((out / "server.key").stat().st_mode) == 0o600
        with mosquitto(out) as broker:
            until(lambda: lineside.get("/broker").get("problem") is None)
            joined, context = join(lineside, "cam-1", tmp_path)
            assert (joined.mqtt_host, joined.mqtt_port) == ("127.0.0.1", port)
            client = paho.Client(CallbackAPIVersion.VERSION2)
            client.tls_set_context(context)
            client.connect("127.0.0.1", port)
            client.loop_start()
            for sequence in range(20):
                client.publish(topics.results("cam-1"), result(sequence), 1)
            until(lambda: lineside.get("/results?limit=1")["total"] == 20)

            lineside.post("/devices/cam-1/revoke")
            client.publish(topics.results("cam-1"), result(20), 1).wait_for_publish(10)
            refresh = [str(out / "refresh-crl.sh"), "kill", "-HUP", str(broker.pid)]
            subprocess.run(refresh, check=True, timeout=PATIENCE)
            until(lambda: not lets_in(port, context))
            assert lineside.get("/results?limit=1")["total"] == 20
            client.disconnect()
            client.loop_stop()


def test_what_cannot_be_a_broker_is_refused_before_anything_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with ControlPlaneProcess(tmp_path / "r", "--port", "0", "--device-port", "0", "--mqtt-port", "0") as lineside:
        base = ["broker", "config", "mosquitto", "--out", str(tmp_path / "m"), "--root", str(tmp_path / "r")]
        assert main([*base, "--host", "not a host"]) == 1
        assert main([*base, "--host", "x", "--topic", "lineside/#"]) == 1
        assert "not a host is not a host name" in (said := capfd.readouterr().err)
        assert "lineside/# cannot be a topic" in said
        assert not (tmp_path / "m").exists()
        assert main(["broker", "show", "--root", str(tmp_path / "r")]) == 0
        assert "the control plane's own, works" in capfd.readouterr().out
        assert lineside.get("/broker")["own"] is True
