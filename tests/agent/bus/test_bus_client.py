"""Our own small client."""

from __future__ import annotations

import pytest

from lineside.agent.bus.client import BusError, Client
from lineside.agent.bus.frames import FrameError
from tests.agent.bus.harness import PATH, House

MESSAGE = {"jsonMessage": {"message": {"n": 1}}}


def test_calls_and_streams_on_one_connection(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in house.environment().items():
        monkeypatch.setenv(key, value)
    with Client() as client:
        stream = client.open("SubscribeToTopic", {"topic": "a"})
        for _ in range(3):
            assert client.call("PublishToTopic", {"topic": "a", "publishMessage": MESSAGE}) == {}
        assert [stream.next()["jsonMessage"]["message"] for _ in range(3)] == [{"n": 1}] * 3
        stream.close()
        assert list(stream) == []
        client.call("PublishToTopic", {"topic": "a", "publishMessage": MESSAGE})
        with pytest.raises(BusError, match="ResourceNotFoundError: Key not found"):
            client.call("GetConfiguration", {"keyPath": ["nothing"]})
        assert client._streams.keys() <= {0}


def test_a_wrong_token_and_a_frame_too_large(house: House) -> None:
    path = house.environment()[PATH]
    with pytest.raises(BusError, match="does not know this token"):
        Client(path, "wrong")
    client = house.client()
    with pytest.raises((FrameError, ConnectionError)):
        client.call("PublishToTopic", {"topic": "x" * (9 << 20)})
    with pytest.raises(OSError, match="No such file"):
        Client(path + ".not", "x")


def test_a_silent_bus_is_a_timeout(house: House) -> None:
    variables = house.environment()
    house.host.hold.clear()
    with Client(variables[PATH], variables["SVCUID"], timeout=0.05) as client, pytest.raises(TimeoutError):
        client.call("RestartComponent", {"componentName": "other"})
    house.host.hold.set()
