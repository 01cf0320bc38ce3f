"""The bus sink against the agent's bus, heard by AWS's own SDK; and its words held against the SDK's own."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awsiot.greengrasscoreipc
import msgspec
import pytest
from awsiot.greengrasscoreipc import model as m
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.agent.bus import frames
from lineside.contract.errors import LinesideError
from lineside.runtime.delivery import Delivery
from lineside.runtime.sinks import bus_frames, outlet
from lineside.runtime.sinks.bus import BusSink, Publisher
from lineside.runtime.sinks.bus_frames import Decoder
from lineside.runtime.sinks.bus_line import PATH_VARIABLE, TOKEN_VARIABLE, BusAddress, bus_of
from lineside.runtime.sinks.settings import BusSinkSettings
from lineside.runtime.spool import Spool
from tests.agent.bus.harness import House
from tests.agent.bus.sdk import Sdk
from tests.eventually import PATIENCE, eventually
from tests.runtime.sinks.test_webhook import entries
from tests.runtime.test_delivery import result


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path / "root").running() as found:
        yield found


def sink_in(house: House, component: str = "app", **more: Any) -> BusSink:
    return BusSink(BusSinkSettings(**{"topic": "line/results", **more}), house.environment(component))


@pytest.mark.parametrize("version", [1, 2])
def test_results_are_heard_by_components_written_with_awsiotsdk(house: House, version: int) -> None:
    _, results = Sdk(house, version, "other").open(m.SubscribeToTopicRequest(topic="line/results"))
    _, events = Sdk(house, version, "other").open(m.SubscribeToTopicRequest(topic="line/+"))
    sink = sink_in(house, events_topic="line/events")
    sink.send(entries(*range(1, 101), fired=(7, 9)))
    assert sink.settled() == list(range(1, 101))
    heard = [results.next().json_message.message for _ in range(100)]
    assert heard == [json.loads(entry.payload) for entry in entries(*range(1, 101), fired=(7, 9))]
    said = [events.next().json_message for _ in range(102)]
    fired = [each.message for each in said if each.context.topic == "line/events"]
    assert [(each["sequence"], each["name"], each["action"]) for each in fired] == [
        (7, "scratched", "reject"),
        (9, "scratched", "reject"),
    ]
    sink.close(0)


def test_events_alone(house: House) -> None:
    _, heard = Sdk(house, 2, "other").open(m.SubscribeToTopicRequest(topic="line/events"))
    sink = sink_in(house, topic="", events_topic="line/events")
    sink.send(entries(1, 2, 3, fired=(2,)))
    assert sink.settled() == [1, 2, 3]
    assert heard.next().json_message.message["sequence"] == 2
    assert heard.none()
    sink.close(0)


def test_a_component_that_may_not_publish_is_told_why(house: House) -> None:
    sink = sink_in(house, "poor")
    with pytest.raises(OSError, match="UnauthorizedError"):
        sink.send(entries(1))
    assert sink.settled() == []
    sink.close(0)


def test_a_wrong_token_is_not_let_in(house: House) -> None:
    with pytest.raises(OSError, match="does not let this component in"):
        Publisher(BusAddress(house.environment()[PATH_VARIABLE], "wrong"))


def test_through_delivery_it_connects_again_when_the_bus_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "_FIRST_WAIT", 0.01)
    spool = Spool(tmp_path / "spool.db")
    delivery = Delivery(spool, None)
    with House(tmp_path / "root").running() as house:
        sink = sink_in(house, durable=True)
        delivery.start({"bus": sink})
        for _ in range(20):
            delivery.decided(None, result, None)
        eventually(lambda: delivery.counts.published == 20)
    for _ in range(20):
        delivery.decided(None, result, None)
    eventually(lambda: delivery.sinks()["bus"].trouble)
    with House(tmp_path / "root").running() as house:
        address = bus_of(house.environment())
        assert address
        sink._address = address
        eventually(lambda: delivery.counts.published == 40)
    delivery.stop()
    spool.close()


@pytest.mark.parametrize(
    ("key", "settings_", "environment"),
    [
        ("topic", {"topic": ""}, {PATH_VARIABLE: "a", TOKEN_VARIABLE: "b"}),
        ("topic", {"topic": "a/#"}, {PATH_VARIABLE: "a", TOKEN_VARIABLE: "b"}),
        ("events_topic", {"events_topic": "a/+"}, {PATH_VARIABLE: "a", TOKEN_VARIABLE: "b"}),
        ("bus", {}, {}),
    ],
)
def test_what_cannot_work_is_refused_with_the_key(
    key: str, settings_: dict[str, Any], environment: dict[str, str]
) -> None:
    with pytest.raises(LinesideError) as caught:
        BusSink(BusSinkSettings(**{"topic": "a", **settings_}), environment)
    assert caught.value.code == "sink.invalid"
    assert f"bus cannot be used: {key} is wrong" in caught.value.message


class Recorder:
    """A server that answers as a bus does and keeps what it was sent, read with the agent's decoder."""

    def __init__(self, path: Path) -> None:
        self.path, self.heard = str(path), list[frames.Frame]()
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(self.path)
        self._door.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        line, _ = self._door.accept()
        decoder = frames.Decoder()
        with line, contextlib.suppress(ConnectionError):  # it may end before it has read all
            while data := line.recv(65536):
                for frame in decoder.feed(data):
                    self.heard.append(frame)
                    line.sendall(self._answer(frame))

    def _answer(self, frame: frames.Frame) -> bytes:
        if frame.number(":message-type") == frames.MessageType.CONNECT:
            return frames.message(frames.MessageType.CONNECT_ACK, frames.ACCEPTED, 0)
        stream, kind = frame.number(":stream-id"), frames.MessageType.APPLICATION_MESSAGE
        ping = frames.message(frames.MessageType.PING, 0, 0, b"{}")
        return ping + frames.message(kind, frames.TERMINATE, stream, b"{}", "PublishToTopicResponse")

    def close(self) -> None:
        self._thread.join(PATIENCE)
        self._door.close()

    def words(self, kind: frames.MessageType) -> list[tuple[dict[str, frames.Value], Any]]:
        found = [frame for frame in self.heard if frame.number(":message-type") == kind]
        return [(dict(frame.headers), json.loads(frame.payload)) for frame in found]


def test_the_same_words_are_said_as_by_awsiotsdk(tmp_path: Path) -> None:
    ours, theirs = Recorder(tmp_path / "ours"), Recorder(tmp_path / "theirs")
    message = {"a": [1, None, "ä"], "b": {"c": 1.5}}
    publisher = Publisher(BusAddress(ours.path, "token"))
    publisher.publish([("a/b", msgspec.json.encode(message))])
    publisher.publish([("a/b", msgspec.json.encode(message))] * 2)  # a ping of the bus was answered in between
    publisher.close()
    client = awsiot.greengrasscoreipc.connect(ipc_socket=theirs.path, authtoken="token")
    operation = client.new_publish_to_topic()
    json_message = m.PublishMessage(json_message=m.JsonMessage(message=message))
    operation.activate(m.PublishToTopicRequest(topic="a/b", publish_message=json_message)).result(PATIENCE)
    operation.get_response().result(PATIENCE)
    client.close().result(PATIENCE)
    connect, call = frames.MessageType.CONNECT, frames.MessageType.APPLICATION_MESSAGE
    assert ours.words(connect) == theirs.words(connect)
    assert ours.words(call)[0] == theirs.words(call)[0]
    assert [headers[":stream-id"] for headers, _ in ours.words(call)] == [1, 2, 3]
    eventually(lambda: ours.words(frames.MessageType.PING_RESPONSE))
    ours.close()
    theirs.close()


NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20).map(str.lower)
VALUES = st.integers(-(2**31), 2**31 - 1) | st.text(max_size=50)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=5), st.binary(max_size=200), st.integers(0, 2**32))
def test_frames_are_those_of_the_agent_in_any_pieces(headers: dict[str, int | str], payload: bytes, seed: int) -> None:
    encoded = bus_frames.encode(headers, payload)
    assert list(frames.Decoder().feed(encoded)) == [(headers, payload)]
    theirs = frames.encode({**headers, "x": True, "y": b"bytes"}, payload)
    source, decoder, found = random.Random(seed), Decoder(), []
    stream = encoded + theirs
    while stream:
        cut = source.randrange(1, len(stream) + 1)
        found += list(decoder.feed(stream[:cut]))
        stream = stream[cut:]
    without = {name: value for name, value in headers.items() if name not in ("x", "y")}
    assert [(each.headers, each.payload) for each in found] == [(headers, payload), (without, payload)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_bit_is_never_taken(data: st.DataObject) -> None:
    encoded = bus_frames.encode({":message-type": 0, "operation": "a"}, b'{"a":1}')
    at = data.draw(st.integers(0, len(encoded) * 8 - 1))
    changed = encoded[: at // 8] + bytes([encoded[at // 8] ^ 1 << at % 8]) + encoded[at // 8 + 1 :]
    taken = []
    with contextlib.suppress(ConnectionError):
        taken = list(Decoder().feed(changed + bytes(32)))
    assert taken == []
