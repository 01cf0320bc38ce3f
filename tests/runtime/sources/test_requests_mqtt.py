"""What requests over a broker have of their own: they come again until they were answered, and are decided once."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.runtime.frames import SourceState
from lineside.runtime.sinks.mqtt import MqttSettings
from lineside.runtime.sources.requests import RequestSettings
from lineside.runtime.sources.requests_mqtt import MqttRequests
from tests.eventually import eventually
from tests.runtime.results import result
from tests.runtime.sinks.broker import Broker, Listener
from tests.runtime.sources.askers import OverMqtt, started
from tests.runtime.sources.intake import Remembering

SETTINGS = RequestSettings(topic="line/ask")


@pytest.fixture
def asker(broker: Broker, listener: Listener) -> Iterator[OverMqtt]:
    made = OverMqtt(broker, listener)
    yield made
    made.close()


@pytest.mark.mosquitto
def test_a_request_that_got_no_answer_comes_again_after_a_restart(asker: OverMqtt, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"pixels")
    intake = Remembering()
    source = started(asker, tmp_path, intake)
    asker.ask({"filepath": "a.png"})
    eventually(lambda: intake.frames)
    assert intake.frames[0].reply
    intake.frames[0].reply(LinesideError("runtime.stopping"))
    source.stop()
    again = Remembering()
    source = started(asker, tmp_path, again)
    eventually(lambda: again.frames)
    assert again.frames[0].reply
    again.frames[0].reply(result("a.png"))
    assert len(asker.answers(1)) == 1
    source.stop()
    last = Remembering()
    source = started(asker, tmp_path, last)
    asker.ask({"filepath": "b.png"})
    eventually(lambda: last.refused)
    assert last.frames == []  # the answered one did not come again
    source.stop()


@pytest.mark.mosquitto
def test_a_connection_that_breaks_makes_no_request_two(asker: OverMqtt, tmp_path: Path) -> None:
    """One is being decided, one is answered meanwhile: the broker sends both again, and each has one answer."""
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(name.encode())
    intake = Remembering()
    source = started(asker, tmp_path, intake)
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
    asker.answers(3)
    asker.drain()
    assert sorted(answer["result"]["image"] for answer in asker.answers(3)) == ["a.png", "b.png", "c.png"]
    assert intake.names == ["a.png", "b.png", "c.png"]
    source.stop()
    again = Remembering()
    source = started(asker, tmp_path, again)
    asker.ask({"filepath": "none.png"})
    eventually(lambda: again.refused)
    assert again.frames == []  # the broker has had an acknowledgement of each
    source.stop()


@pytest.mark.mosquitto
def test_sources_of_one_name_in_two_components_are_two(broker: Broker, asker: OverMqtt, tmp_path: Path) -> None:
    """A broker ends the connection of a client when another one of its name comes."""
    (tmp_path / "a.png").write_bytes(b"pixels")
    heard = [Remembering(), Remembering()]
    sources = [
        MqttRequests("ask", SETTINGS, broker.settings("cam-1"), [tmp_path], component=component)
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
    source = MqttRequests("ask", SETTINGS, MqttSettings(host="127.0.0.1", port=9, device="cam-1"), [tmp_path])
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
        source = MqttRequests("ask", SETTINGS, settings, [tmp_path])
        source.start(Remembering())
        eventually(lambda: source.health().state is SourceState.AWAY)
        assert "Not authorized" in source.health().why
        source.stop()
        listening.shutdown(socket.SHUT_RDWR)
