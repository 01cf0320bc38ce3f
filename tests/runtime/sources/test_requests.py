"""Requests by topic, over a real broker and over the agent's bus alike: a file's name in, its result or a typed error
out, each once; and paths are confined."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.runtime.frames import SourceState
from lineside.runtime.sinks.bus_line import BusAddress
from lineside.runtime.sinks.mqtt import MqttSettings
from lineside.runtime.sources import requests
from lineside.runtime.sources.confined import read_confined
from lineside.runtime.sources.folder import MAX_FILE_BYTES
from lineside.runtime.sources.requests import MAX_REQUEST, RequestSettings, RequestSource
from lineside.runtime.sources.requests_bus import BusRequests
from lineside.runtime.sources.requests_mqtt import MqttRequests
from tests.eventually import eventually
from tests.runtime.results import result
from tests.runtime.sources.askers import Asker, OverMqtt, over_bus, started
from tests.runtime.sources.intake import Remembering


@pytest.fixture(params=[pytest.param("mqtt", marks=pytest.mark.mosquitto), "bus"])
def asker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asker]:
    if request.param == "bus":
        with over_bus(tmp_path / "root") as made:
            yield made
        return
    over = OverMqtt(request.getfixturevalue("broker"), request.getfixturevalue("listener"))
    yield over
    over.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    return made


def test_a_named_file_is_answered_with_its_result(asker: Asker, folder: Path) -> None:
    (folder / "a.png").write_bytes(b"pixels")
    intake = Remembering()
    source = started(asker, folder, intake)
    asker.ask({"filepath": "a.png", "id": "42"})
    eventually(lambda: intake.frames)
    (frame,) = intake.frames
    assert (frame.name, frame.data, frame.key) == ("a.png", b"pixels", None)
    assert frame.reply
    frame.reply(result("a.png"))
    (answer,) = asker.answers(1)
    assert (answer["id"], answer["filepath"]) == ("42", "a.png")
    assert answer["result"]["sequence"] == 7
    assert "error" not in answer
    source.stop()


def test_what_cannot_be_asked_is_answered_with_a_typed_error(asker: Asker, folder: Path) -> None:
    with (folder / "huge.png").open("wb") as huge:
        huge.truncate(MAX_FILE_BYTES + 1)
    intake = Remembering()
    source = started(asker, folder, intake)
    wrong = {
        "request.invalid": [b"\xff{", {"path": "a"}, {"filepath": 5}, {"filepath": "a", "id": "x" * MAX_REQUEST}],
        "request.path_forbidden": [{"filepath": "/etc/passwd"}, {"filepath": "../outside.png"}],
        "image.missing": [{"filepath": "none.png"}, {"filepath": ""}],
        "image.file_too_large": [{"filepath": "huge.png", "id": "9"}],
    }
    expected = [code for code, payloads in wrong.items() for _ in payloads]
    for payload in (payload for payloads in wrong.values() for payload in payloads):
        asker.ask(payload)
    eventually(lambda: len(intake.refused) == len(expected))
    for frame, code in intake.refused:
        assert frame.reply
        frame.reply(LinesideError(code))
    answers = asker.answers(len(expected))
    assert [answer["error"]["code"] for answer in answers] == expected
    assert all(answer["error"]["next"] for answer in answers)
    assert (answers[-1]["filepath"], answers[-1]["id"]) == ("huge.png", "9")
    assert intake.frames == []
    source.stop()


def test_what_the_line_finds_wrong_with_an_image_is_the_answer(asker: Asker, folder: Path) -> None:
    (folder / "notes.png").write_text("no picture")
    intake = Remembering()
    source = started(asker, folder, intake)
    asker.ask({"filepath": "notes.png"})
    eventually(lambda: intake.frames)
    assert intake.frames[0].reply
    intake.frames[0].reply(LinesideError("image.unsupported", why="it is text"))
    (answer,) = asker.answers(1)
    assert (answer["error"]["code"], answer["filepath"]) == ("image.unsupported", "notes.png")
    source.stop()


def test_more_than_can_wait_are_told_so(asker: Asker, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "ROOM", 2)
    (folder / "a.png").write_bytes(b"pixels")
    intake = Remembering(room=0)  # nothing is taken
    source = started(asker, folder, intake)
    for number in range(6):
        asker.ask({"filepath": "a.png", "id": str(number)})
    busy = asker.answers(1)[0]
    assert busy["error"]["code"] == "runtime.busy"
    assert busy["filepath"] == "a.png"
    assert busy["id"] in ("2", "3")  # two wait, and one may be in hand
    intake.close()
    source.stop()


def test_answers_on_the_topic_of_the_requests_are_refused(asker: Asker, folder: Path) -> None:
    """They would be requests, and be answered."""
    source = asker.source(folder)
    source.answers = source.topic
    source.start(Remembering())
    eventually(lambda: source.health().state is SourceState.FAILED)
    assert source.health().code == "config.invalid"
    source.stop()


BROKER = MqttSettings(host="127.0.0.1", port=9, device="cam-1")


def settings(topic: str, answers: str = "") -> RequestSettings:
    return RequestSettings(topic=topic, answers=answers)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (MqttRequests("ask", settings("line/ask"), None, [Path("/")]), "config.invalid"),
        (MqttRequests("ask", settings("lineside/v1/other/hint"), BROKER, [Path("/")]), "mqtt.topic_forbidden"),
        (MqttRequests("ask", settings("line/#"), BROKER, [Path("/")]), "mqtt.topic_forbidden"),
        (BusRequests("ask", settings("line/ask"), None, [Path("/")]), "config.invalid"),
        (BusRequests("ask", settings("line/+"), BusAddress("/nowhere", "token"), [Path("/")]), "config.invalid"),
        (BusRequests("ask", settings("line", "all/#"), BusAddress("/nowhere", "token"), [Path("/")]), "config.invalid"),
        (MqttRequests("ask", settings("line/ask"), BROKER, []), "config.invalid"),
    ],
)
def test_what_cannot_be_listened_to_is_an_alarm(source: RequestSource, code: str) -> None:
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
    (inside / "loop").symlink_to("loop")
    for good, data in (("a.png", b"a"), ("sub/b.png", b"b"), ("friend", b"a"), (str(inside / "a.png"), b"a")):
        assert read_confined(good, [inside])[1] == data
    forbidden = ["../outside/secret", "link", "/etc/passwd", str(tmp_path / "inside-not/c.png"), "sub/../../outside/x"]
    for bad, code in [(one, "request.path_forbidden") for one in forbidden] + [
        (one, "image.missing") for one in ("pipe", "sub", "none", "loop", "loop/a", "a\0b", "", "x" * 5000)
    ]:
        with pytest.raises(LinesideError) as caught:
            read_confined(bad, [inside])
        assert caught.value.code == code, bad
    assert read_confined(str(outside / "secret"), [inside, outside])[1] == b"s"
