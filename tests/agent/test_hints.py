"""A hint wakes the poll, through a real broker over TLS with the device's certificate; without one nothing changes."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.agent.agents import AgentProcess, wait_for
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane

from lineside.agent.link import join_state
from lineside.agent.link.hints import Hints
from lineside.contract import topics
from lineside.contract.reported import Phase


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def broker(plane: ControlPlane, tmp_path: Path) -> Iterator[int]:
    """Mosquitto that takes only certificates of the control plane's CA; its port."""
    port = _free_port()
    ca = tmp_path / "ca.crt"
    ca.write_text(plane.ca.pem)
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        f"cafile {ca}",
        f"certfile {tmp_path / 'server.crt'}",
        f"keyfile {tmp_path / 'server.key'}",
        "require_certificate true",
        "user root",
    ]
    (tmp_path / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    command = ["/usr/sbin/mosquitto", "-c", str(tmp_path / "mosquitto.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: _listens(port))
    yield port
    process.terminate()
    process.wait()


def _use_broker(agent: AgentProcess, port: int) -> join_state.JoinState:
    joined = join_state.load(agent.paths)
    joined = msgspec.structs.replace(joined, mqtt_host="127.0.0.1", mqtt_port=port)
    join_state.save(agent.paths, joined)
    return joined


def _publish(agent: AgentProcess, port: int) -> None:
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.tls_set(str(agent.paths.ca), str(agent.paths.certificate), str(agent.paths.key))
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topics.hint("cell-1"), b"", qos=1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


@pytest.mark.mosquitto
def test_a_hint_arrives(agent: AgentProcess, broker: int) -> None:
    told = threading.Semaphore(0)
    hints = Hints(_use_broker(agent, broker), agent.paths, told.release)
    hints.start()
    assert told.acquire(timeout=10)  # connecting counts as one: something may have been said before
    wait_for(lambda: (_publish(agent, broker), told.acquire(timeout=0.5))[1])
    hints.stop()


@pytest.mark.mosquitto
def test_a_hint_wakes_the_poll(plane: ControlPlane, agent: AgentProcess, broker: int) -> None:
    _use_broker(agent, broker)
    first = plane.want(plane.release(recipe("app", "1.0.0")), poll_seconds=600.0)
    agent.start()
    plane.wait_report(first, Phase.HEALTHY)
    wait_for(lambda: plane.served["desired"] >= 2)
    revision = plane.want(plane.release(recipe("app", "2.0.0")), poll_seconds=600.0)
    _publish(agent, broker)
    plane.wait_report(revision, Phase.HEALTHY)


def test_a_broker_that_is_away_changes_nothing(plane: ControlPlane, agent: AgentProcess) -> None:
    _use_broker(agent, _free_port())
    agent.start()
    plane.wait_report(plane.want(plane.release(recipe())), Phase.HEALTHY)
    assert agent.end() == 0
