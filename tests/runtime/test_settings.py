"""The agent's environment and the component's configuration become one set of settings, or one clear refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.runtime.captures.settings import CaptureSettings
from lineside.runtime.settings import Settings, settings_of


def made(tmp_path: Path, configuration: object = None, **environment: str) -> Settings:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({} if configuration is None else configuration))
    return settings_of(tmp_path / "model", tmp_path / "work", {"LINESIDE_CONFIG": str(path), **environment})


def test_with_nothing_said_it_runs_on_its_own(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "model", tmp_path / "work", {})
    assert settings.mqtt is None
    assert settings.inbox == tmp_path / "work" / "inbox"
    assert settings.captures == tmp_path / "work" / "captures"
    assert settings.configuration.capture == CaptureSettings()


def test_the_components_default_configuration_is_understood(tmp_path: Path) -> None:
    configuration = {
        "source": {"folder": "inbox"},
        "topic": "",
        "capture": {"uncertain": [0.2, 0.5], "random": 0.05, "per_hour": 200},
        "threads": 0,
        "compare_every": 20,
        "lineside.tests": {"latency": {"Script": "true"}},
        "accessControl": {},
    }
    settings = made(tmp_path, configuration, LINESIDE_INBOX="/a/inbox-of-mine", LINESIDE_DEVICE="cam-1")
    assert settings.inbox == Path("/a/inbox-of-mine")
    assert settings.device == "cam-1"
    assert settings.configuration.capture == CaptureSettings(uncertain=(0.2, 0.5), random=0.05, per_hour=200)


@pytest.mark.parametrize(
    ("folder", "inbox"), [("inbox", "/a/inbox"), ("line-3", "/a/line-3"), ("/mnt/camera", "/mnt/camera")]
)
def test_where_images_come_from(tmp_path: Path, folder: str, inbox: str) -> None:
    settings = made(tmp_path, {"source": {"folder": folder}}, LINESIDE_INBOX="/a/inbox")
    assert settings.folder(settings.sources["inbox"].folder) == Path(inbox)


def test_a_broker_with_its_certificates(tmp_path: Path) -> None:
    settings = made(
        tmp_path,
        {"topic": "factory/results"},
        LINESIDE_MQTT_HOST="10.0.0.1",
        LINESIDE_MQTT_PORT="1884",
        LINESIDE_CA="/ca",
        LINESIDE_CERT="/cert",
        LINESIDE_KEY="/key",
        AWS_IOT_THING_NAME="thing",
    )
    assert settings.mqtt
    assert (settings.mqtt.host, settings.mqtt.port, settings.mqtt.topic) == ("10.0.0.1", 1884, "factory/results")
    assert (settings.mqtt.ca, settings.mqtt.certificate, settings.mqtt.key) == (
        Path("/ca"),
        Path("/cert"),
        Path("/key"),
    )
    assert settings.mqtt.device == "thing"


@pytest.mark.parametrize(
    "configuration",
    [
        [],
        {"threads": "many"},
        {"threads": -1},
        {"threads": 100_000},
        {"models": {"a": {"threads": -1}}},
        {"sinks": {"jsonl": {"max_bytes": 0}}},
        {"soak_seconds": -1},
        {"soak_seconds": 1e300},
        {"capture": {"uncertain": [0.1]}},
        {"capture": {"random": "often"}},
        {"source": 3},
    ],
)
def test_a_configuration_that_cannot_be_followed_is_refused(tmp_path: Path, configuration: object) -> None:
    with pytest.raises(LinesideError) as caught:
        made(tmp_path, configuration)
    assert caught.value.code == "config.invalid"


@pytest.mark.parametrize("content", [b'{"topic": "\xff"}', b'{"source":' + b"[" * 100_000, b"\xef\xbb\xbf{}", b""])
def test_bytes_that_are_no_configuration_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(LinesideError) as caught:
        settings_of(tmp_path / "model", tmp_path / "work", {"LINESIDE_CONFIG": str(path)})
    assert caught.value.code == "config.invalid"


def test_no_capture_and_a_bad_port(tmp_path: Path) -> None:
    assert made(tmp_path, {"capture": None}).configuration.capture is None
    with pytest.raises(LinesideError) as caught:
        made(tmp_path, {}, LINESIDE_MQTT_HOST="h", LINESIDE_MQTT_PORT="99999")
    assert caught.value.code == "config.invalid"


def test_one_folder_and_one_model_need_no_route(tmp_path: Path) -> None:
    settings = made(tmp_path)
    assert {name: route.model for name, route in settings.routes.items()} == {"inbox": "model"}
    assert settings.models["model"].folder == str(tmp_path / "model")
    assert not settings.named


def test_several_sources_and_models_are_routed(tmp_path: Path) -> None:
    configuration = {
        "source": {"folder": "inbox"},  # of the recipe's defaults: sources take its place
        "sources": {"a": {"kind": "folder", "folder": "a"}, "b": {"kind": "folder", "folder": "b", "interval": 1}},
        "models": {"own": {}, "other": {"folder": "$OTHER"}},
        "routes": [{"source": "a", "model": "other"}, {"source": "b", "model": "own"}],
        "deadline_ms": 250,
    }
    settings = made(tmp_path, configuration, OTHER="/models/other")
    assert {name: route.model for name, route in settings.routes.items()} == {"a": "other", "b": "own"}
    folders = {name: model.folder for name, model in settings.models.items()}
    assert folders == {"own": str(tmp_path / "model"), "other": "/models/other"}
    assert settings.named


TWO = {"a": {"kind": "folder"}, "b": {"kind": "folder"}}


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"thread": 1}, "there is no key thread; do you mean threads?"),
        ({"sources": {"a": {"kind": "folder", "intervall": 1}}}, "sources.a.intervall; do you mean interval?"),
        ({"capture": {"uncertainty": [0, 1]}}, "capture.uncertainty; do you mean uncertain?"),
        (
            {"sources": {"a": {"kind": "telepathy"}}},
            "sources.a.kind cannot be 'telepathy'; there are api, folder, requests, rtsp, usb, video",
        ),
        ({"sources": {"a": {"kind": "foldr"}}}, "sources.a.kind cannot be 'foldr'; do you mean folder?"),
        (
            {"sources": {"a": {"kind": "requests", "topic": "t", "over": "smoke"}}},
            "sources.a.over cannot be 'smoke'; there are bus, mqtt",
        ),
        ({"rules": {"r": {"action": "stop", "unit": "share"}}}, "rules.r.unit cannot be 'share'; do you mean shares?"),
        ({"sources": {"a/b": {"kind": "folder"}}}, "'a/b' is no name of a source"),
        ({"sources": TWO, "models": {"m": {}, "n": {}}}, "no route says which model decides for a"),
        ({"sources": TWO, "routes": [{"source": "c", "model": "model"}]}, "there is no source c"),
        ({"sources": TWO, "routes": [{"source": "a", "model": "none"}]}, "there is no model none"),
        ({"sources": TWO, "routes": [{"source": "a", "model": "model"}] * 2}, "the source a has two routes"),
    ],
)
def test_what_is_wrong_is_said_with_what_may_be_meant(tmp_path: Path, configuration: object, said: str) -> None:
    with pytest.raises(LinesideError) as caught:
        made(tmp_path, configuration)
    assert caught.value.code == "config.invalid"
    assert said in caught.value.message
