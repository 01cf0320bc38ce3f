"""The sinks that a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.runtime.patience import may_pass
from lineside.runtime.sinks import MQTT, MQTT_TOPICS, Sink
from lineside.runtime.sinks.jsonl import JsonlSink
from lineside.runtime.sinks.mqtt import MqttSettings, MqttSink, MqttTopicsSink
from lineside.runtime.sinks.settings import JsonlSinkSettings, MqttSinkSettings, SinkSettings


def sinks_of(
    sinks: SinkSettings | None,
    mqtt: MqttSettings | None,
    environment: Mapping[str, str],
    device: str,
    work: Path,
    wake: Callable[[], None],
) -> dict[str, Sink]:
    """Sinks by name, begun. `mqtt`: the broker that the agent names. Raises `sink.invalid`, `mqtt.topic_forbidden`,
    `mqtt.tls_unusable`; what was begun before is closed then."""
    sinks = sinks or SinkSettings()
    if sinks == SinkSettings():
        sinks = SinkSettings(mqtt=MqttSinkSettings()) if mqtt else SinkSettings(jsonl=JsonlSinkSettings())
    made: dict[str, Sink] = {}
    try:
        if sinks.webhook:
            from lineside.runtime.sinks.webhook import WebhookSink

            made["webhook"] = WebhookSink(sinks.webhook, device, work)
        if sinks.bus:
            from lineside.runtime.sinks.bus import BusSink

            made["bus"] = BusSink(sinks.bus, environment)
        if sinks.jsonl:
            made["jsonl"] = _file(sinks.jsonl, work)
        if sinks.mqtt:
            broker = _broker(sinks.mqtt, mqtt)
            made[MQTT] = MqttSink(broker, wake=wake)
            if broker.topic or broker.events_topic:
                made[MQTT_TOPICS] = MqttTopicsSink(broker, wake=wake)
    except BaseException:
        for sink in made.values():
            sink.close(0.0)
        raise
    return made


def _broker(sink: MqttSinkSettings, mqtt: MqttSettings | None) -> MqttSettings:
    if mqtt is None:
        raise LinesideError("sink.invalid", sink="mqtt", key="mqtt", why="the agent names no broker")
    topic = sink.topic or mqtt.topic
    topic = "" if topic == topics.results(mqtt.device) else topic  # what the control plane hears is there already
    return msgspec.structs.replace(mqtt, topic=topic, events_topic=sink.events_topic, durable=sink.durable)


def _file(sink: JsonlSinkSettings, work: Path) -> JsonlSink:
    """Raises OSError while the disk is full or fails."""
    try:
        path = work / _named("jsonl", "path", sink.path)
        return JsonlSink(path, max_bytes=sink.max_bytes, durable=sink.durable)
    except (OSError, ValueError) as error:  # a folder, or in one that may not be written to; a name with a NUL
        if isinstance(error, OSError) and may_pass(error):
            raise
        raise LinesideError("sink.invalid", sink="jsonl", key="path", why=error) from error


def _named(sink: str, key: str, value: str) -> str:
    if not value:
        raise LinesideError("sink.invalid", sink=sink, key=key, why="it is empty")
    return value
