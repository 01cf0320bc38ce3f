"""Two control planes, one PostgreSQL, one Mosquitto: the reader of results is killed, and each result is there once."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from lineside.cli.main import main
from lineside.contract import topics
from lineside.server.testing import free_socket, until
from tests.server.planes import client, holders, home, share, start
from tests.server.postgresql import Databases
from tests.server.test_broker_process import join, result
from tests.server.test_external_broker_process import mosquitto

pytestmark = [pytest.mark.slow, pytest.mark.mosquitto, pytest.mark.xdist_group("control plane")]


def test_results_go_on_at_the_other_one(postgresql_databases: Databases, tmp_path: Path) -> None:
    url, out = postgresql_databases.empty(), tmp_path / "mosquitto"
    with free_socket() as probe:
        port = probe.getsockname()[1]
    with ExitStack() as stack:
        setting = ("--mqtt-url", f"mqtts://127.0.0.1:{port}")
        first = stack.enter_context(start(tmp_path / "first", url, *setting))
        share(first.root, tmp_path / "second")
        second = stack.enter_context(start(tmp_path / "second", url, *setting))
        command = ["broker", "config", "mosquitto", "--out", str(out), "--host", "127.0.0.1", "--port", str(port)]
        assert main([*command, "--root", str(first.root)]) == 0
        stack.enter_context(mosquitto(out))
        until(lambda: all(client(plane).broker().problem is None for plane in (first, second)), 60)
        _, context = join(first, "cam-1", tmp_path)
        camera = paho.Client(CallbackAPIVersion.VERSION2, client_id="cam-1", clean_session=False)
        camera.tls_set_context(context)
        camera.connect("127.0.0.1", port)
        camera.loop_start()
        reader = until(lambda: holders(url).get("results"))
        reading, other = (first, second) if reader == home(first) else (second, first)
        for sequence in range(400):
            camera.publish(topics.results("cam-1"), result(sequence), 1)
        until(lambda: client(other).results(limit=1).total >= 50)
        reading.end(signal.SIGKILL)
        for sequence in range(400, 500):
            camera.publish(topics.results("cam-1"), result(sequence), 1)
        until(lambda: client(other).results(limit=1).total == 500)
        found = [one.result.sequence for one in client(other).results(after=0, limit=1000).results]
        assert sorted(found) == list(range(500))
        assert holders(url)["results"] == home(other)
        camera.disconnect()
        camera.loop_stop()
