"""The stream manager's door: who is let in, and what is made of bytes that are no request."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lineside.agent.streams import cbor
from lineside.contract.recipes.builtin import STREAM_MANAGER
from tests.agent.bus.harness import House
from tests.agent.streams.stream_manager_process import StreamManagerProcess


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamManagerProcess]:
    process = StreamManagerProcess(tmp_path_factory.mktemp("streams") / "m").start()
    yield process
    process.end()


@contextmanager
def connected(manager: StreamManagerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", manager.port), timeout=10) as found:
        yield found


def send(to: socket.socket, operation: int, request: Any) -> None:
    payload = cbor.dumps(request)
    to.sendall(struct.pack(">ib", len(payload) + 1, operation) + payload)


def receive(of: socket.socket) -> tuple[int, Any]:
    file = of.makefile("rb")
    length, operation = struct.unpack(">ib", file.read(5))
    return operation, cbor.loads(file.read(length - 1))


def greet(to: socket.socket, **more: Any) -> dict[str, Any]:
    """Say the byte and Connect; the answer."""
    to.sendall(b"\1")
    send(to, 1, {"requestId": "r", "sdkVersion": "1", "protocolVersion": "1.1.0"} | more)
    assert to.recv(1) == b"\1"
    operation, answer = receive(to)
    assert operation == 6
    assert answer["requestId"] == "r"
    found: dict[str, Any] = answer
    return found


def test_a_greeting(manager: StreamManagerProcess) -> None:
    with connected(manager) as mine:
        answer = greet(mine)
        assert (answer["status"], answer["protocolVersion"]) == (0, "1.1.0")
        assert answer["supportedProtocolVersions"] == ["1.1.0", "1.0.0"]
    with connected(manager) as mine:
        assert (
            greet(mine, protocolVersion="9.9.9", otherSupportedProtocolVersions=["1.0.0"])["protocolVersion"] == "1.0.0"
        )
    with connected(manager) as mine:
        assert greet(mine, protocolVersion="9.9.9")["status"] == 10
        assert mine.recv(1) == b""
    with connected(manager) as mine:
        assert greet(mine, otherSupportedProtocolVersions=5)["status"] == 0


def test_an_operation_that_nobody_knows(manager: StreamManagerProcess) -> None:
    with connected(manager) as mine:
        greet(mine)
        send(mine, 99, {"requestId": "q"})
        operation, answer = receive(mine)
        assert (operation, answer["status"], answer["requestId"]) == (17, 18, "q")


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        (2, {}),
        (2, {"definition": {"name": "a/b", "strategyOnFull": 0}}),
        (2, {"definition": {"name": "..", "strategyOnFull": 7}}),
        (2, {"definition": {"name": "a", "strategyOnFull": 0, "maxSize": 3}}),
        (2, {"definition": {"name": "a", "strategyOnFull": 0, "timeToLiveMillis": -1}}),
        (2, {"definition": {"name": 5}}),
        (4, {"name": "x", "payload": "text"}),
        (4, {"name": {}, "payload": b"x"}),
        (5, {"streamName": ["x"], "readMessagesOptions": {"minMessageCount": -1}}),
        (5, {"streamName": "x", "readMessagesOptions": [1]}),
        (3, {"name": None}),
        (13, {}),
    ],
)
def test_a_request_that_makes_no_sense(manager: StreamManagerProcess, operation: int, request_: dict[str, Any]) -> None:
    with connected(manager) as mine:
        greet(mine)
        send(mine, operation, request_ | {"requestId": "q"})
        _, answer = receive(mine)
        assert answer["status"] in (3, 5)
        assert answer["errorMessage"]
        send(mine, 11, {"requestId": "still there"})
        assert receive(mine)[1]["status"] == 0


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\1",
        b"\1" + struct.pack(">ib", -1, 1),
        b"\1" + struct.pack(">ib", 1 << 30, 1),
        b"\1" + struct.pack(">ib", 3, 1) + b"\xff\xff",
        b"\1" + struct.pack(">ib", 2, 1) + b"\x01",
    ],
)
def test_noise(manager: StreamManagerProcess, noise: bytes) -> None:
    with connected(manager) as mine:
        mine.sendall(noise)
        with contextlib.suppress(OSError):  # it may have closed already, with something unread
            mine.shutdown(socket.SHUT_WR)
            while mine.recv(100):
                pass
    with connected(manager) as mine:
        assert greet(mine)["status"] == 0


def test_only_components_are_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with House(tmp_path / "root").running() as house:
        own = house.bus.environment(STREAM_MANAGER)
        theirs = house.bus.environment("app")
        environment = {"AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT", "SVCUID"}
        manager = StreamManagerProcess(
            tmp_path / "m", {key: own[key] for key in environment}, STREAM_MANAGER_AUTHENTICATE_CLIENT=True
        ).start()
        try:
            monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", theirs["SVCUID"])
            with manager.client() as client:
                assert client.list_streams() == []
            for refused in ({"authToken": "wrong"}, {"authToken": ""}, {"authToken": 5}, {}):
                with connected(manager) as mine:
                    assert greet(mine, **refused)["status"] == 2
                    assert mine.recv(1) == b""
        finally:
            manager.end()


def test_without_a_bus_nobody_is_let_in(tmp_path: Path) -> None:
    manager = StreamManagerProcess(tmp_path / "m", STREAM_MANAGER_AUTHENTICATE_CLIENT=True).start()
    try:
        with connected(manager) as mine:
            assert greet(mine, authToken="x" * 16)["status"] == 2
    finally:
        manager.end()


def test_the_probe(manager: StreamManagerProcess) -> None:
    command = [sys.executable, "-m", "lineside.agent.streams", "--probe"]
    for port, code in ((manager.port, 0), (1, 1)):
        environment = os.environ | {"STREAM_MANAGER_SERVER_PORT": str(port)}
        assert subprocess.run(command, env=environment, check=False).returncode == code
