"""The socket against whoever connects: strangers, garbage, crowds, wrong tokens, half a protocol."""

from __future__ import annotations

import os
import random
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineside.agent.bus import frames, server
from lineside.agent.bus.client import BusError, Client
from lineside.agent.bus.frames import Decoder, Frame, MessageType
from lineside.agent.bus.routes import ROUTER
from lineside.agent.bus.tokens import Tokens
from tests.agent.bus.harness import PATH, House
from tests.eventually import eventually

PUBLISH = {"topic": "t", "publishMessage": {"jsonMessage": {"message": {}}}}


@pytest.fixture(autouse=True)
def _sent_away_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LINGER_SECONDS", 0.05)


def _frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0, **headers: str) -> bytes:
    base: dict[str, Any] = {":message-type": kind, ":message-flags": flags, ":stream-id": stream}
    return frames.encode(base | headers, payload)


def _connect(token: str, version: str = "0.1.0") -> bytes:
    payload = msgspec.json.encode({"authToken": token})
    return _frame(MessageType.CONNECT, 0, payload, **{":version": version})


def _request(stream: int, operation: str, payload: bytes = b"{}", flags: int = 0) -> bytes:
    return _frame(0, stream, payload, flags, operation=f"aws.greengrass#{operation}")


def _read(sock: socket.socket, count: int | None = None) -> list[Frame]:
    """So many frames, or all until the bus closes the connection."""
    decoder, found = Decoder(), []
    while count is None or len(found) < count:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            assert count is None
            break
        found += decoder.feed(data)
    return found


def _answers(house: House) -> None:
    """The bus still serves."""
    assert house.client().call("GetConfiguration")["componentName"] == "app"


def _greeted(house: House) -> socket.socket:
    sock = house.raw()
    sock.sendall(_connect(house.environment()["SVCUID"]))
    (answer,) = _read(sock, 1)
    assert (answer.number(":message-type"), answer.number(":message-flags")) == (5, frames.ACCEPTED)
    return sock


@pytest.mark.parametrize(
    "hello",
    [
        _connect("wrong"),
        _connect("x", version="9"),
        _frame(4, 0, b"no json", **{":version": "0.1.0"}),
        _frame(4, 0, b'{"authToken": 7}', **{":version": "0.1.0"}),
        _frame(4, 0, b"{}", **{":version": "0.1.0"}),
        _frame(4, 0, b'{"componentName": "app"}', **{":version": "0.1.0"}),
    ],
)
def test_who_does_not_say_who_it_is_is_refused_and_closed(house: House, hello: bytes) -> None:
    sock = house.raw()
    sock.sendall(hello)
    (answer,) = _read(sock)
    assert (answer.number(":message-type"), answer.number(":message-flags")) == (MessageType.CONNECT_ACK, 0)
    _answers(house)


def test_nothing_comes_before_connect(house: House) -> None:
    sock = house.raw()
    sock.sendall(_request(1, "ListComponents"))
    (answer,) = _read(sock)
    assert answer.number(":message-type") == MessageType.PROTOCOL_ERROR
    _answers(house)


def test_a_stranger_who_says_nothing_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_SECONDS", 0.0)
    monkeypatch.setattr(server, "_TICK", 0.1)
    with House(tmp_path / "root").running() as house:
        assert _read(house.raw()) == []


def test_a_ping_is_answered(house: House) -> None:
    sock = _greeted(house)
    sock.sendall(_frame(MessageType.PING, 0, b"hello"))
    (answer,) = _read(sock, 1)
    assert (answer.number(":message-type"), answer.payload) == (MessageType.PING_RESPONSE, b"hello")


def test_an_answer_ends_its_stream_and_an_event_stream_goes_on(house: House) -> None:
    sock = _greeted(house)
    sock.sendall(_request(1, "GetConfiguration") + _request(2, "SubscribeToTopic", b'{"topic": "t"}'))
    first, second = _read(sock, 2)
    assert first.number(":message-flags") == frames.TERMINATE
    assert second.number(":message-flags") == 0
    for answer, model in ((first, "GetConfigurationResponse"), (second, "SubscribeToTopicResponse")):
        assert answer.text("service-model-type") == f"aws.greengrass#{model}"
        assert answer.text(":content-type") == "application/json"


def test_the_end_of_a_stream_is_echoed_and_its_subscription_dropped(house: House) -> None:
    sock = _greeted(house)
    sock.sendall(_request(1, "SubscribeToIoTCore", b'{"topicName": "t", "qos": "1"}'))
    _read(sock, 1)
    assert house.broker.subscribed() == 1
    sock.sendall(_frame(0, 1, flags=frames.TERMINATE))
    (echo,) = _read(sock, 1)
    assert (echo.number(":stream-id"), echo.number(":message-flags")) == (1, frames.TERMINATE)
    assert house.broker.subscribed() == 0


def test_a_lost_connection_drops_its_subscriptions(house: House) -> None:
    sock = _greeted(house)
    sock.sendall(_request(1, "SubscribeToIoTCore", b'{"topicName": "t", "qos": "1"}'))
    _read(sock, 1)
    sock.close()
    eventually(lambda: house.broker.subscribed() == 0)


def test_messages_on_closed_streams_are_let_pass(house: House) -> None:
    sock = _greeted(house)
    sock.sendall(_request(1, "GetConfiguration") + _frame(0, 1, flags=frames.TERMINATE) + _frame(0, 1, b"{}"))
    sock.sendall(_request(2, "GetConfiguration"))
    assert [one.number(":stream-id") for one in _read(sock, 2)] == [1, 2]


@pytest.mark.parametrize("operation", ["NoSuchThing", ""])
def test_an_operation_nobody_knows_is_a_service_error(house: House, operation: str) -> None:
    sock = _greeted(house)
    sock.sendall(_request(1, operation))
    (answer,) = _read(sock, 1)
    assert answer.text("service-model-type") == "aws.greengrass#ServiceError"
    body = msgspec.json.decode(answer.payload)
    assert body["message"] == body["_message"]
    assert body["_errorCode"] == "ServiceError"
    assert body["context"]["code"] == "bus.unsupported"


@pytest.mark.parametrize(
    "payload", [b"no json", b"[]", b'{"keyPath": 7}', b'{"keyPath": ["\xff"]}', b'{"keyPath": NaN}']
)
def test_requests_that_cannot_be_read_are_invalid_arguments(house: House, payload: bytes) -> None:
    sock = _greeted(house)
    sock.sendall(_request(1, "GetConfiguration", payload) + _request(2, "GetConfiguration"))
    first, second = _read(sock, 2)
    assert first.text("service-model-type") == "aws.greengrass#InvalidArgumentsError"
    assert second.text("service-model-type") == "aws.greengrass#GetConfigurationResponse"


def test_a_huge_frame_is_refused_before_it_comes(house: House) -> None:
    sock = _greeted(house)
    huge = frames.encode({":message-type": 0}, b"x" * frames.MAX_FRAME)
    sock.sendall(huge[:12])
    (answer,) = _read(sock)
    assert answer.number(":message-type") == MessageType.PROTOCOL_ERROR
    assert b"larger" in answer.payload
    _answers(house)


def test_a_stranger_may_send_little(house: House) -> None:
    sock = house.raw()
    sock.sendall(_frame(4, 0, b'{"authToken": "%s"}' % (b"x" * 10_000), **{":version": "0.1.0"})[:12])
    (answer,) = _read(sock)
    assert answer.number(":message-type") == MessageType.PROTOCOL_ERROR


def test_too_many_streams_are_refused_one_by_one(house: House) -> None:
    client = house.client()
    for number in range(1000):
        client.open("SubscribeToTopic", {"topic": f"t/{number}"})
    with pytest.raises(BusError, match="ServiceError"):
        client.open("SubscribeToTopic", {"topic": "one-more"})
    assert client.call("PublishToTopic", PUBLISH) == {}


def test_two_hundred_connections_at_once(house: House) -> None:
    variables = house.environment()
    clients = [Client(variables[PATH], variables["SVCUID"]) for _ in range(200)]
    streams = [client.open("SubscribeToTopic", {"topic": "t"}) for client in clients]
    clients[0].call("PublishToTopic", PUBLISH)
    for stream in streams:
        assert stream.next()["jsonMessage"]["context"]["topic"] == "t"
    for client in clients:
        client.close()
    eventually(lambda: not house.bus._server._connections)


def test_more_connections_than_the_bus_takes_are_closed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
    taken = [_greeted(house) for _ in range(3)]
    assert _read(house.raw()) == []
    taken[0].close()
    eventually(lambda: len(house.bus._server._connections) < 3)
    _answers(house)


@pytest.mark.parametrize("seed", range(5))
def test_garbage_ends_its_own_connection_only(house: House, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(40):
        sock = house.raw() if number % 2 else _greeted(house)
        data = chance.randbytes(chance.randrange(1, 200))
        if number % 4 == 0:  # right frames with odd content
            headers = {
                chance.choice([":message-type", ":message-flags", ":stream-id", "operation"]): chance.choice(
                    [0, -1, 2**31 - 1, "x"]
                )
                for _ in range(3)
            }
            data = frames.encode(headers, data)
        sock.sendall(data)
        sock.close()
    _answers(house)


def test_a_client_that_never_takes_its_answers_is_read_no_further(house: House) -> None:
    """What it may make the bus keep is bounded, and the others are served."""
    sock = _greeted(house)
    sock.settimeout(0.5)
    with pytest.raises(TimeoutError):  # the bus stops reading, so sending stops in the end
        sock.sendall(b"".join(_request(stream, "GetConfiguration") for stream in range(1, 50_000)))
    assert house.bus._server._budget.used < 4 << 20
    _answers(house)
    sock.settimeout(10)
    assert _read(sock, 100)


def test_slow_work_holds_nobody_up(house: House) -> None:
    house.host.hold.clear()
    waiting = _greeted(house)
    waiting.sendall(_request(1, "RestartComponent", b'{"componentName": "other"}'))
    for _ in range(20):
        _answers(house)
    house.host.hold.set()
    (answer,) = _read(waiting, 1)
    assert msgspec.json.decode(answer.payload) == {"restartStatus": "SUCCEEDED"}


def test_a_mistake_of_the_host_is_a_service_error(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    client = house.client()

    def broken(name: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(house.host, "configuration", broken)
    monkeypatch.setattr(house.host, "stop", broken)
    for operation, request in (("GetConfiguration", {}), ("StopComponent", {"componentName": "app"})):
        with pytest.raises(BusError, match=f"ServiceError: {operation} failed: ZeroDivisionError"):
            client.call(operation, request)


def test_stopping_closes_every_connection(house: House) -> None:
    client = house.client()
    stream = client.open("SubscribeToTopic", {"topic": "t"})
    stopping = threading.Thread(target=house.bus.stop)
    stopping.start()
    with pytest.raises(ConnectionError):
        stream.next()
    stopping.join()


def test_a_socket_that_is_removed_or_cannot_be_opened_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_TICK", 0.05)
    in_the_way = tmp_path / "root" / "ipc.socket"
    in_the_way.mkdir(parents=True)
    with House(tmp_path / "root").running() as house:
        assert not in_the_way.is_socket()
        eventually(lambda: house.conditions.holds("bus.closed"))
        in_the_way.rmdir()
        eventually(in_the_way.is_socket)
        eventually(lambda: not house.conditions.holds("bus.closed"))
        client = house.client()
        in_the_way.unlink()
        eventually(in_the_way.is_socket)
        _answers(house)
        assert client.call("GetConfiguration")["componentName"] == "app"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can connect as somebody else")
def test_a_token_seen_with_one_user_is_refused_to_another() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with House(Path(folder) / "root").running() as house:
            token = house.environment()["SVCUID"]
            hello, path = _connect(token), house.environment()[PATH]
            for user, flags in ((65534, frames.ACCEPTED), (65533, 0), (65534, frames.ACCEPTED), (0, frames.ACCEPTED)):
                with socket.socket(socket.AF_UNIX) as sock:
                    os.seteuid(user)
                    try:
                        sock.connect(path)
                    finally:
                        os.seteuid(0)
                    sock.settimeout(10)
                    sock.sendall(hello)
                    assert _read(sock, 1)[0].number(":message-flags") == flags


def test_what_is_wrong_with_policies_and_routes_is_a_condition_while_it_is_so(house: House) -> None:
    house.host.configurations |= {
        "bad": {"accessControl": {"nobody.knows": {}}},
        ROUTER: {"subscriptions": {"r": {"source": "cloud"}}},
    }
    house.bus.updated("d-1")
    eventually(lambda: [one.code for one in house.conditions.current()] == ["bus.policy_invalid", "bus.route_invalid"])
    assert "bad" in house.conditions.current()[0].message
    del house.host.configurations["bad"], house.host.configurations[ROUTER]
    house.bus.updated("d-2")
    eventually(lambda: not house.conditions.current())


def test_what_is_no_longer_allowed_is_ended(house: House) -> None:
    client, other = house.client("app"), house.client("other")
    own = [client.open("SubscribeToTopic", {"topic": "t"})]
    own.append(client.open("SubscribeToIoTCore", {"topicName": "t", "qos": "1"}))
    kept = other.open("SubscribeToTopic", {"topic": "t"})
    before = house.host.configurations["app"]
    house.host.configurations["app"] = {"level": 3}
    house.bus.configuration_changed("app", before, {"level": 3})
    assert [stream.next() for stream in own] == [None, None]
    assert house.broker.subscribed() == 0
    with pytest.raises(BusError, match="UnauthorizedError"):
        client.call("PublishToTopic", PUBLISH)
    other.call("PublishToTopic", PUBLISH)
    assert kept.next()


def test_a_token_is_good_for_one_user_and_two_starts() -> None:
    tokens = Tokens()
    first = tokens.issue("app")
    assert tokens.admit(first, 1000) == "app"
    assert tokens.admit(first, 1001) is None
    assert tokens.admit(first, 0) == "app"
    second = tokens.issue("app", user=1002)
    assert tokens.admit(second, 1000) is None
    assert tokens.admit(second, 1002) == "app"
    third = tokens.issue("app")
    assert tokens.component(first) is None
    assert tokens.component(second) == tokens.component(third) == "app"
    assert tokens.admit("", os.getuid()) is None
