"""What requests over the local bus have of their own: it may be away, or forbid, and it keeps nothing for anybody."""

from __future__ import annotations

from pathlib import Path

import awsiot.greengrasscoreipc
import pytest
from awsiot.greengrasscoreipc import client as sdk
from awsiot.greengrasscoreipc import model as m

from lineside.agent.bus import frames
from lineside.runtime.frames import SourceState
from lineside.runtime.sinks.bus_line import BusAddress, bus_of
from lineside.runtime.sources import requests_bus
from lineside.runtime.sources.requests import RequestSettings
from lineside.runtime.sources.requests_bus import BusRequests
from tests.agent.bus.harness import House
from tests.eventually import eventually
from tests.runtime.results import result
from tests.runtime.sinks.test_bus import Recorder
from tests.runtime.sources.askers import ANSWERS, TOPIC, OverBus, started
from tests.runtime.sources.intake import Remembering

SETTINGS = RequestSettings(topic=TOPIC, over="bus")
PUBSUB = "aws.greengrass.ipc.pubsub"


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_bus, "_FIRST_PAUSE", 0.01)


def test_one_that_is_away_is_an_alarm_until_it_is_back(tmp_path: Path) -> None:
    source = BusRequests("ask", SETTINGS, BusAddress(str(tmp_path / "none"), "token"), [tmp_path])
    source.start(Remembering())
    eventually(lambda: source.health().state is SourceState.AWAY)
    assert source.health().code == "source.away"
    assert "The local bus cannot be read" in source.health().why
    with House(tmp_path / "root").running() as house:
        source._bus = bus_of(house.environment())
        eventually(lambda: source.health().state is SourceState.RUNNING)
        assert source.health().why == ""
        source.stop()


def test_an_answer_waits_for_a_bus_that_ended_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"pixels")
    intake = Remembering()
    with House(tmp_path / "root").running() as house:
        asker = OverBus(house)
        source = started(asker, tmp_path, intake)
        assert isinstance(source, BusRequests)
        asker.ask({"filepath": "a.png"})
        eventually(lambda: intake.frames)
        asker.close()
    eventually(lambda: source.health().state is SourceState.AWAY)
    assert intake.frames[0].reply
    intake.frames[0].reply(result("a.png"))
    with House(tmp_path / "root").running() as house:
        asker = OverBus(house)
        source._bus = bus_of(house.environment())
        assert asker.answers(1)[0]["result"]["image"] == "a.png"
        source.stop()
        asker.close()


def test_what_is_open_at_the_end_is_told_to_ask_again(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"pixels")
    intake = Remembering()
    with House(tmp_path / "root").running() as house:
        asker = OverBus(house)
        source = started(asker, tmp_path, intake)
        asker.ask({"filepath": "a.png", "id": "1"})
        eventually(lambda: intake.frames)
        source.stop()
        (answer,) = asker.answers(1)
        assert (answer["id"], answer["error"]["code"]) == ("1", "runtime.stopping")
        assert intake.frames[0].reply
        intake.frames[0].reply(result("a.png"))  # it was told already
        asker.close()
        assert len(asker.answers(1)) == 1


@pytest.mark.parametrize("allowed", ["SubscribeToTopic", "PublishToTopic"])
def test_what_the_bus_forbids_is_an_alarm_that_names_the_policy(tmp_path: Path, allowed: str) -> None:
    """That it may not answer shows when it does."""
    policy = {"operations": [f"aws.greengrass#{allowed}"], "resources": ["*"]}
    house, intake = House(tmp_path / "root"), Remembering()
    house.host.configurations["poor"] = {"accessControl": {PUBSUB: {"poor:1": policy}}}
    with house.running():
        source = BusRequests("ask", SETTINGS, bus_of(house.environment("poor")), [tmp_path], component="poor")
        source.start(intake)
        topic, refused = TOPIC, "SubscribeToTopic"
        if allowed == "SubscribeToTopic":
            topic, refused = ANSWERS, "PublishToTopic"
            eventually(lambda: source.health().state is SourceState.RUNNING)
            asker = OverBus(house)
            asker.ask({"filepath": "none.png"})
            eventually(lambda: intake.refused)
            assert intake.refused[0][0].reply
            intake.refused[0][0].reply(result("none.png"))
            asker.close()
        eventually(lambda: source.health().state is SourceState.FAILED)
        health = source.health()
        assert health.code == "request.bus_forbidden"
        assert f"refuses {refused} on {topic} to poor" in health.why
        assert f"accessControl, {PUBSUB}, operations aws.greengrass#{refused}, resources {topic}." in health.next
        source.stop()


def test_the_same_words_are_said_as_by_awsiotsdk(tmp_path: Path) -> None:
    ours, theirs = Recorder(tmp_path / "ours"), Recorder(tmp_path / "theirs")
    source = BusRequests("ask", SETTINGS, BusAddress(ours.path, "token"), [tmp_path])
    source.start(Remembering())
    client = awsiot.greengrasscoreipc.connect(ipc_socket=theirs.path, authtoken="token")
    operation = client.new_subscribe_to_topic(sdk.SubscribeToTopicStreamHandler())
    operation.activate(m.SubscribeToTopicRequest(topic=TOPIC)).result(60)
    call, connect = frames.MessageType.APPLICATION_MESSAGE, frames.MessageType.CONNECT
    eventually(lambda: ours.words(call) and theirs.words(call))
    client.close().result(60)
    assert ours.words(connect) == theirs.words(connect)
    assert ours.words(call)[0] == theirs.words(call)[0]
    source.stop()
    ours.close()
    theirs.close()
