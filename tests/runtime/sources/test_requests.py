"""Requests over a real broker: a file's name in, its result or a typed error out; and requests from within."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from lineside.contract.errors import LinesideError
from lineside.contract.result import Result
from lineside.runtime.frames import SourceState
from lineside.runtime.sinks.mqtt import MqttSettings
from lineside.runtime.sources.asked import AskedSource
from lineside.runtime.sources.requests import RequestSettings, RequestSource, read_confined
from tests.eventually import eventually
from tests.runtime.results import result
from tests.runtime.sinks.broker import Broker, Listener
from tests.runtime.sources.intake import Remembering

SETTINGS = RequestSettings(topic="line/ask")


class Asker:
    """Publishes requests."""

    def __init__(self, settings: MqttSettings) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.tls_set(str(settings.ca), str(settings.certificate), str(settings.key))
        self._client.connect(settings.host, settings.port)
        self._client.loop_start()

    def ask(self, payload: object) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._client.publish("line/ask", data, qos=1).wait_for_publish(60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def asker(broker: Broker) -> Iterator[Asker]:
    made = Asker(broker.settings("asker"))
    yield made
    made.close()


def started(broker: Broker, folder: Path, intake: Remembering) -> RequestSource:
    source = RequestSource("ask", SETTINGS, broker.settings("cam-1"), [folder])
    source.start(intake)
    eventually(lambda: source.health().state is SourceState.RUNNING)
    return source


def answers(listener: Listener, count: int) -> list[dict[str, object]]:
    eventually(lambda: len(listener.on("line/ask/answers")) >= count)
    return [json.loads(one) for one in listener.on("line/ask/answers")]


@pytest.mark.mosquitto
def test_a_named_file_is_answered_with_its_result(
    broker: Broker, listener: Listener, asker: Asker, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(b"pixels")
    intake = Remembering()
    source = started(broker, tmp_path, intake)
    asker.ask({"filepath": "a.png", "id": "42"})
    eventually(lambda: intake.frames)
    (frame,) = intake.frames
    assert (frame.name, frame.data, frame.key) == ("a.png", b"pixels", None)
    assert frame.reply
    frame.reply(result("a.png"))
    (answer,) = answers(listener, 1)
    assert (answer["id"], answer["filepath"]) == ("42", "a.png")
    assert answer["result"]["sequence"] == 7
    assert "error" not in answer
    source.stop()


@pytest.mark.mosquitto
def test_what_cannot_be_asked_is_answered_with_a_typed_error(
    broker: Broker, listener: Listener, asker: Asker, tmp_path: Path
) -> None:
    intake = Remembering()
    source = started(broker, tmp_path, intake)
    for payload in (b"\xff{", {"path": "a"}, {"filepath": "/etc/passwd"}, {"filepath": "none.png"}):
        asker.ask(payload)
    eventually(lambda: len(intake.refused) == 4)
    for frame, code in intake.refused:
        assert frame.reply
        frame.reply(LinesideError(code))
    said = [answer["error"]["code"] for answer in answers(listener, 4)]
    assert said == ["request.invalid", "request.invalid", "request.path_forbidden", "image.missing"]
    source.stop()


@pytest.mark.mosquitto
def test_a_request_that_got_no_answer_comes_again_after_a_restart(
    broker: Broker, listener: Listener, asker: Asker, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(b"pixels")
    intake = Remembering()
    source = started(broker, tmp_path, intake)
    asker.ask({"filepath": "a.png"})
    eventually(lambda: intake.frames)
    assert intake.frames[0].reply
    intake.frames[0].reply(LinesideError("runtime.stopping"))
    source.stop()
    again = Remembering()
    source = started(broker, tmp_path, again)
    eventually(lambda: again.frames)
    assert again.frames[0].reply
    again.frames[0].reply(result("a.png"))
    assert len(answers(listener, 1)) == 1
    source.stop()
    last = Remembering()
    source = started(broker, tmp_path, last)
    asker.ask({"filepath": "b.png"})
    eventually(lambda: last.refused)
    assert last.frames == []  # the answered one did not come again
    source.stop()


@pytest.mark.mosquitto
def test_a_connection_that_breaks_makes_no_request_two(
    broker: Broker, listener: Listener, asker: Asker, tmp_path: Path
) -> None:
    """One is being decided, one is answered meanwhile: the broker sends both again, and each has one answer."""
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(name.encode())
    intake = Remembering()
    source = started(broker, tmp_path, intake)
    for name in ("a.png", "b.png"):
        asker.ask({"filepath": name})
    eventually(lambda: len(intake.frames) == 2)
    deciding, decided = intake.frames
    assert source._client
    line = source._client.socket()
    assert line
    socket.socket.shutdown(line, socket.SHUT_RDWR)
    eventually(lambda: source.health().state is SourceState.AWAY)
    assert decided.reply
    decided.reply(result("b.png"))
    eventually(lambda: source.health().state is SourceState.RUNNING)
    asker.ask({"filepath": "c.png"})
    eventually(lambda: "c.png" in intake.names)
    for frame in (deciding, intake.frames[-1]):
        assert frame.reply
        frame.reply(result(frame.name))
    answers(listener, 3)
    listener.drain()
    assert sorted(answer["result"]["image"] for answer in answers(listener, 3)) == ["a.png", "b.png", "c.png"]
    assert intake.names == ["a.png", "b.png", "c.png"]
    source.stop()
    again = Remembering()
    source = started(broker, tmp_path, again)
    asker.ask({"filepath": "none.png"})
    eventually(lambda: again.refused)
    assert again.frames == []  # the broker has had an acknowledgement of each
    source.stop()


@pytest.mark.mosquitto
def test_sources_of_one_name_in_two_components_are_two(broker: Broker, asker: Asker, tmp_path: Path) -> None:
    """A broker ends the connection of a client when another one of its name comes."""
    (tmp_path / "a.png").write_bytes(b"pixels")
    heard = [Remembering(), Remembering()]
    sources = [
        RequestSource("ask", SETTINGS, broker.settings("cam-1"), [tmp_path], component=component)
        for component in ("tags.inference", "welds.inference")
    ]
    for source, intake in zip(sources, heard, strict=True):
        source.start(intake)
        eventually(lambda source=source: source.health().state is SourceState.RUNNING)
    asker.ask({"filepath": "a.png"})
    eventually(lambda: all(intake.frames for intake in heard))
    for source in sources:
        source.stop()


def test_a_broker_that_is_away_from_the_start_is_an_alarm(tmp_path: Path) -> None:
    source = RequestSource("ask", SETTINGS, MqttSettings(host="127.0.0.1", port=9, device="cam-1"), [tmp_path])
    source.start(Remembering())
    eventually(lambda: source.health().state is SourceState.AWAY)
    assert source.health().code == "source.away"
    assert "cannot be reached" in source.health().why
    source.stop()


def test_a_broker_that_refuses_is_an_alarm_that_says_so(tmp_path: Path) -> None:
    refusal = bytes([0x20, 2, 0, 5])  # CONNACK, not authorized
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            with contextlib.suppress(OSError):
                while True:
                    caller, _ = listening.accept()
                    with caller:
                        caller.recv(1000)
                        caller.sendall(refusal)
                        caller.recv(1000)

        threading.Thread(target=refuse, daemon=True).start()
        settings = MqttSettings(host="127.0.0.1", port=listening.getsockname()[1], device="cam-1")
        source = RequestSource("ask", SETTINGS, settings, [tmp_path])
        source.start(Remembering())
        eventually(lambda: source.health().state is SourceState.AWAY)
        assert "Not authorized" in source.health().why
        source.stop()
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("topic", "broker", "code"),
    [
        ("line/ask", None, "config.invalid"),
        ("lineside/v1/other/hint", MqttSettings(host="127.0.0.1", port=9, device="cam-1"), "mqtt.topic_forbidden"),
        ("line/#", MqttSettings(host="127.0.0.1", port=9, device="cam-1"), "mqtt.topic_forbidden"),
    ],
)
def test_what_cannot_be_listened_to_is_an_alarm(
    tmp_path: Path, topic: str, broker: MqttSettings | None, code: str
) -> None:
    source = RequestSource("ask", RequestSettings(topic=topic), broker, [tmp_path])
    source.start(Remembering())
    eventually(lambda: source.health().state is SourceState.FAILED)
    assert source.health().code == code
    source.stop()


def test_paths_are_confined(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "a.png").write_bytes(b"a")
    (inside / "sub").mkdir()
    (inside / "sub" / "b.png").write_bytes(b"b")
    (outside / "secret").write_bytes(b"s")
    (inside / "link").symlink_to(outside / "secret")
    (inside / "friend").symlink_to(inside / "a.png")
    (tmp_path / "inside-not").mkdir()
    (tmp_path / "inside-not" / "c.png").write_bytes(b"c")
    os.mkfifo(inside / "pipe")
    for good, data in (("a.png", b"a"), ("sub/b.png", b"b"), ("friend", b"a"), (str(inside / "a.png"), b"a")):
        assert read_confined(good, [inside])[1] == data
    forbidden = ["../outside/secret", "link", "/etc/passwd", str(tmp_path / "inside-not/c.png"), "sub/../../outside/x"]
    for bad, code in [(one, "request.path_forbidden") for one in forbidden] + [
        (one, "image.missing") for one in ("pipe", "sub", "none", "a\0b", "")
    ]:
        with pytest.raises(LinesideError) as caught:
            read_confined(bad, [inside])
        assert caught.value.code == code, bad
    assert read_confined(str(outside / "secret"), [inside, outside])[1] == b"s"


def test_who_asks_from_within_waits_for_the_result() -> None:
    source, intake = AskedSource("api", room=1), Remembering()
    source.start(intake)
    heard: list[Result] = []
    asking = threading.Thread(target=lambda: heard.append(source.ask(b"image", "a.png")))
    asking.start()
    eventually(lambda: intake.frames)
    with pytest.raises(LinesideError) as caught:
        source.ask(b"another")
    assert caught.value.code == "runtime.busy"
    assert intake.frames[0].reply
    intake.frames[0].reply(result("a.png"))
    asking.join(60)
    assert heard == [result("a.png")]


def test_who_asks_from_within_hears_what_is_wrong() -> None:
    source, intake = AskedSource("api"), Remembering()
    with pytest.raises(LinesideError, match="stops"):
        source.ask(b"image")
    source.start(intake)
    with pytest.raises(LinesideError, match=r"runtime\.no_answer"):
        source.ask(b"image", seconds=0.01)
    intake.offer = lambda frame: frame.reply(LinesideError("image.unsupported", why="it is empty")) or True
    with pytest.raises(LinesideError, match=r"image\.unsupported"):
        source.ask(b"image")
    intake.close()
    del intake.offer
    with pytest.raises(LinesideError, match="stops"):
        source.ask(b"image")
