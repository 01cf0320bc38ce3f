"""A real Mosquitto that takes only certificates of the test control plane, to be killed and started again."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from lineside.agent.link import join_state
from lineside.agent.link.join_state import JoinState
from tests.agent.agents import AgentProcess
from tests.agent.control_plane import ControlPlane
from tests.eventually import PATIENCE, eventually


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Mosquitto:
    """On one port of this machine, over TLS with the control plane's own certificate."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.port = free_port()
        folder.mkdir(exist_ok=True)
        self._ca = folder / "ca.crt"
        self._ca.write_text(plane.ca.pem)
        self._certificate, self._key = plane.ca.server(folder)
        self._configuration = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            f"cafile {self._ca}",
            f"certfile {self._certificate}",
            f"keyfile {self._key}",
            "require_certificate true",
            "max_queued_messages 0",
            "user root",
        ]
        self._configuration.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it listens."""
        command = ["/usr/sbin/mosquitto", "-c", str(self._configuration)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self._listens)

    def kill(self) -> None:
        """kill -9; everything it knew is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None

    def freeze(self) -> None:
        """It reads nothing more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def used_by(self, agent: AgentProcess) -> JoinState:
        """Let an agent's join state name this broker."""
        joined = msgspec.structs.replace(join_state.load(agent.paths), mqtt_host="127.0.0.1", mqtt_port=self.port)
        join_state.save(agent.paths, joined)
        return joined

    def client(self, name: str) -> mqtt.Client:
        """Somebody else's client, connected, its loop running; close with `loop_stop`."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
        context = ssl.create_default_context(cafile=str(self._ca))
        context.load_cert_chain(self._certificate, self._key)
        client.tls_set_context(context)
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        return client

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Listener:
    """Keeps what is published below a filter, over the broker's restarts."""

    def __init__(self, broker: Mosquitto, pattern: str = "#", name: str = "listener") -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._pattern = pattern
        self._ready = threading.Event()
        self.client = broker.client(name)
        self.client.on_connect = self._subscribe
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_disconnect = lambda *_: self._ready.clear()
        self.client.on_message = lambda client, data, message: self.heard.append((message.topic, message.payload))
        if self.client.is_connected():
            self._subscribe(self.client)
        assert self._ready.wait(PATIENCE)

    def wait_back(self) -> None:
        """Wait until it is subscribed (again)."""
        assert self._ready.wait(PATIENCE)

    def payloads(self, topic: str) -> list[bytes]:
        """Everything heard on a topic, in order."""
        return [payload for name, payload in list(self.heard) if name == topic]

    def close(self) -> None:
        """Go."""
        self.client.disconnect()
        self.client.loop_stop()

    def _subscribe(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(self._pattern, qos=1)
