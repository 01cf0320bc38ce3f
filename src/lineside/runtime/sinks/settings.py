"""Which sinks there are, and what each is told. A sink's name in the spool is its key here."""

from __future__ import annotations

from typing import Annotated

import msgspec

MAX_JSONL_BYTES = 64 * 1024 * 1024
LEAST_JSONL_BYTES = 64 * 1024


class MqttSinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """To the broker that the agent names (LINESIDE_MQTT_HOST …), at QoS 1: Lineside's own topic, and as a sink beside
    it `topic`, with rules' events to `events_topic`."""

    topic: str = ""
    events_topic: str = ""
    durable: bool = True


class JsonlSinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """To a file of lines, and when it is over `max_bytes` to one older file; of fewer than `LEAST_JSONL_BYTES` both
    would hold hardly more than what came together."""

    path: str = "results.jsonl"  # relative to the work folder
    max_bytes: Annotated[int, msgspec.Meta(ge=LEAST_JSONL_BYTES)] = MAX_JSONL_BYTES
    durable: bool = True


class WebhookSinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """To an HTTPS address, in batches that are signed (Standard Webhooks). http is for this machine alone."""

    url: str
    secret: str = ""  # whsec_BASE64; without one nothing is signed
    secret_file: str = ""  # where it lies, in place of `secret`
    ca: str = ""  # a file of CA certificates, in place of the system's
    batch: int = 100  # results in a request at most
    only_events: bool = False  # send only results with events of rules
    seconds: float = 20.0  # for a request in all
    durable: bool = True


class BusSinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """To the local bus (AWS Greengrass IPC, PublishToTopic), as JSON messages."""

    topic: str = ""
    events_topic: str = ""
    durable: bool = False


class SinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The sinks. None given: MQTT where the agent names a broker, otherwise the file."""

    mqtt: MqttSinkSettings | None = None
    jsonl: JsonlSinkSettings | None = None
    webhook: WebhookSinkSettings | None = None
    bus: BusSinkSettings | None = None
