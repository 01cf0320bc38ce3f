"""MQTT against a real Mosquitto with client certificates, killed and started again."""

from __future__ import annotations

import gc
import socket
from pathlib import Path

import msgspec
import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.result import RuleEvent
from lineside.runtime.sinks import MQTT, MQTT_TOPICS, Sink, mqtt
from lineside.runtime.sinks.making import sinks_of
from lineside.runtime.sinks.mqtt import MqttSettings, MqttSink, MqttTopicsSink
from lineside.runtime.sinks.settings import MqttSinkSettings, SinkSettings
from lineside.runtime.spool import Entry
from tests.eventually import eventually
from tests.runtime.sinks.broker import Authority, Broker, Listener
from tests.runtime.sinks.test_webhook import entries as with_events

pytestmark = pytest.mark.mosquitto
OWN = "lineside/v1/cam-1/results"


def entries(*numbers: int) -> list[Entry]:
    return [Entry(number, b'{"sequence":%d}' % number) for number in numbers]


def settle(sink: Sink, wanted: set[int], arrived: set[int] | None = None) -> None:
    arrived = set() if arrived is None else arrived

    def all_there() -> bool:
        arrived.update(sink.settled())
        return arrived >= wanted

    eventually(all_there)
    assert arrived == wanted


def test_results_arrive_on_lineside_s_topic_and_settle(broker: Broker, listener: Listener) -> None:
    sink = MqttSink(broker.settings("cam-1", "factory/line-3/results"))
    eventually(lambda: sink.room() > 0)
    sink.send(entries(1, 2, 3))
    settle(sink, {1, 2, 3})
    sink.close(1)
    listener.drain()
    assert listener.on(OWN) == [entry.payload for entry in entries(1, 2, 3)]
    assert listener.on("factory/line-3/results") == []


def test_the_users_topics_are_a_sink_beside_it(broker: Broker, listener: Listener, tmp_path: Path) -> None:
    def named(topic: str) -> set[str]:
        asked = SinkSettings(mqtt=MqttSinkSettings(topic=topic))
        sinks = sinks_of(asked, broker.settings("cam-1"), {}, "cam-1", tmp_path, lambda: None)
        if MQTT_TOPICS in sinks:
            eventually(lambda: sinks[MQTT_TOPICS].room() > 0)
            sinks[MQTT_TOPICS].send(entries(1, 2))
            settle(sinks[MQTT_TOPICS], {1, 2})
        for sink in sinks.values():
            sink.close(1)
        return set(sinks)

    assert named("factory/line-3/results") == {MQTT, MQTT_TOPICS}
    listener.drain()
    assert listener.on("factory/line-3/results") == [entry.payload for entry in entries(1, 2)]
    assert listener.on(OWN) == []
    assert named("") == {MQTT}
    assert named(OWN) == {MQTT}  # the control plane's: it is there already


def test_there_is_no_room_while_the_broker_is_away(broker: Broker) -> None:
    sink = MqttSink(broker.settings("cam-1"))
    eventually(lambda: sink.room() > 0)
    broker.kill()
    eventually(lambda: sink.room() == 0)
    broker.start()
    eventually(lambda: sink.room() > 0)
    sink.close(1)


def test_what_was_in_flight_when_the_broker_died_arrives_later(broker: Broker, listener: Listener) -> None:
    sink = MqttSink(broker.settings("cam-1"))
    eventually(lambda: sink.room() > 0)
    broker.kill()
    sink.send(entries(7, 8))  # paho has not noticed yet
    broker.start()
    eventually(lambda: listener.subscribed)
    settle(sink, {7, 8})
    sink.close(1)


def test_the_device_wakes_up_when_something_was_acknowledged(broker: Broker) -> None:
    woken: list[bool] = []
    sink = MqttSink(broker.settings("cam-1"), wake=lambda: woken.append(True))
    eventually(lambda: woken)
    woken.clear()
    sink.send(entries(1))
    eventually(lambda: woken)
    sink.close(1)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho leaves the socket to the collector
def test_a_broker_of_another_authority_is_not_talked_to(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    sink = MqttSink(msgspec.structs.replace(broker.settings("cam-1"), ca=other.certificate))
    with pytest.raises(AssertionError):
        eventually(lambda: sink.connected, 1.5)
    sink.close(0)
    gc.collect()  # here, not in another test


def test_no_delay_is_set_on_the_connection(broker: Broker) -> None:
    """With Nagle's algorithm a QoS 1 round trip takes 44 ms: it waits for a delayed acknowledgement."""
    sink = MqttSink(broker.settings("cam-1"))
    eventually(lambda: sink.room() > 0)
    line = sink._client.socket()
    assert line is not None
    assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    sink.close(1)


@pytest.mark.parametrize("topic", ["", "line/results"])
def test_rules_events_go_to_their_own_topic(broker: Broker, listener: Listener, topic: str) -> None:
    """A result without an event has nothing to say there, and is settled all the same."""
    sink = MqttTopicsSink(msgspec.structs.replace(broker.settings("cam-1", topic), events_topic="line/reject"))
    eventually(lambda: sink.room() > 0)
    made = with_events(*range(1, 31), fired=tuple(range(1, 31, 3)))
    sink.send(made)
    settle(sink, set(range(1, 31)))
    eventually(lambda: len(listener.on("line/reject")) == 10)
    assert listener.on("line/results") == ([entry.payload for entry in made] if topic else [])
    events = [msgspec.json.decode(each, type=RuleEvent) for each in listener.on("line/reject")]
    assert [each.sequence for each in events] == list(range(1, 31, 3))
    assert sink.settled() == []
    sink.close(1)


def test_what_is_wrong_with_the_broker_is_said(broker: Broker) -> None:
    sink = MqttSink(broker.settings("cam-1"))
    eventually(lambda: sink.room() > 0)
    assert sink.trouble() == ""
    broker.kill()
    eventually(lambda: str(broker.port) in sink.trouble())
    broker.start()
    eventually(lambda: sink.trouble() == "")
    sink.close(1)


def test_a_broker_that_acknowledges_nothing_is_told_and_tried_again(
    broker: Broker, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "_PATIENCE", 0.2)
    sink = MqttSink(broker.settings("cam-1"))
    eventually(lambda: sink.room() > 0)
    with broker.frozen():
        sink.send(entries(1, 2))
        eventually(lambda: sink.settled() == [] and sink.trouble() == f"127.0.0.1:{broker.port} acknowledges nothing")
        eventually(lambda: not sink.connected)  # another connection may fare better
        assert not sink.say("lineside/v1/cam-1/telemetry", b"{}")
    settle(sink, {1, 2})
    eventually(lambda: sink.settled() == [] and sink.trouble() == "")
    sink.close(1)
    listener.drain()
    assert set(listener.on(OWN)) == {entry.payload for entry in entries(1, 2)}


def test_a_broker_that_lets_in_and_takes_nothing_stays_in_trouble(broker: Broker) -> None:
    broker.kill()
    broker.say("max_packet_size 100")
    broker.start()
    told: list[str] = []
    sink = MqttSink(broker.settings("cam-1"), wake=lambda: told.append(sink.trouble()))
    eventually(lambda: told)
    sink.send([Entry(1, b"x" * 200)])
    eventually(lambda: len(told) >= 3)  # so often it was let in again
    assert all(told[1:])
    sink.close(1)


@pytest.mark.parametrize("topic", ["lineside/v1/other/results", "a/#", "a/+/b", "$SYS/x"])
def test_a_forbidden_topic_is_refused(topic: str) -> None:
    for key in ("topic", "events_topic"):
        with pytest.raises(LinesideError) as caught:
            MqttTopicsSink(MqttSettings(host="127.0.0.1", port=1, device="cam-1", **{key: topic}))
        assert caught.value.code == "mqtt.topic_forbidden"


def test_a_missing_or_broken_certificate_is_one_sentence(broker: Broker, tmp_path: Path) -> None:
    for change in ({"ca": tmp_path / "none.pem"}, {"key": broker.authority.certificate}):
        with pytest.raises(LinesideError) as caught:
            MqttSink(msgspec.structs.replace(broker.settings("cam-1"), **change))
        assert caught.value.code == "mqtt.tls_unusable"
