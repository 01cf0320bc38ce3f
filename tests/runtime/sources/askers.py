"""Others that ask, over a broker and over a device's local bus, each with a source that hears them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from awsiot.greengrasscoreipc import model as m
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from lineside.runtime.frames import SourceState
from lineside.runtime.sinks.bus_line import bus_of
from lineside.runtime.sinks.mqtt import MqttSettings
from lineside.runtime.sources.requests import RequestSettings, RequestSource
from lineside.runtime.sources.requests_bus import BusRequests
from lineside.runtime.sources.requests_mqtt import MqttRequests
from tests.agent.bus.harness import House
from tests.agent.bus.sdk import Sdk
from tests.eventually import eventually
from tests.runtime.sinks.broker import Broker, Listener
from tests.runtime.sources.intake import Remembering

TOPIC, ANSWERS = "line/ask", "line/ask/answers"


def as_bytes(payload: object) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()


class Asker(Protocol):
    """Somebody who asks, and hears all answers."""

    def source(self, folder: Path) -> RequestSource:
        """A source that hears what is asked; not started."""

    def ask(self, payload: object) -> None:
        """Publishes a request: an object, or any bytes."""

    def answers(self, count: int) -> list[dict[str, Any]]:
        """The answers, once there are so many."""


def started(asker: Asker, folder: Path, intake: Remembering) -> RequestSource:
    """A source that runs."""
    source = asker.source(folder)
    source.start(intake)
    eventually(lambda: source.health().state is SourceState.RUNNING)
    return source


class Publisher:
    """Publishes requests at a broker."""

    def __init__(self, settings: MqttSettings) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.tls_set(str(settings.ca), str(settings.certificate), str(settings.key))
        self._client.connect(settings.host, settings.port)
        self._client.loop_start()

    def ask(self, payload: object) -> None:
        self._client.publish(TOPIC, as_bytes(payload), qos=1).wait_for_publish(60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class OverMqtt(Publisher):
    """Asks over a broker."""

    def __init__(self, broker: Broker, listener: Listener) -> None:
        super().__init__(broker.settings("asker"))
        self._broker, self._listener = broker, listener
        self.drain = listener.drain

    def source(self, folder: Path) -> RequestSource:
        return MqttRequests("ask", RequestSettings(topic=TOPIC), self._broker.settings("cam-1"), [folder])

    def answers(self, count: int) -> list[dict[str, Any]]:
        eventually(lambda: len(self._listener.on(ANSWERS)) >= count)
        return [json.loads(one) for one in self._listener.on(ANSWERS)]


class OverBus:
    """Asks over the local bus with AWS's own SDK, as a component of its own."""

    def __init__(self, house: House) -> None:
        self._house, self._sdk = house, Sdk(house, 2, "other")
        self._heard: list[dict[str, Any]] = []
        _, events = self._sdk.open(m.SubscribeToTopicRequest(topic=ANSWERS))

        def hear() -> None:
            while (event := events.queue.get()) is not None:
                self._heard.append(event.json_message.message)

        self._events = events
        self._thread = threading.Thread(target=hear, daemon=True)
        self._thread.start()

    def source(self, folder: Path) -> RequestSource:
        settings = RequestSettings(topic=TOPIC, over="bus")
        return BusRequests("ask", settings, bus_of(self._house.environment("app")), [folder])

    def ask(self, payload: object) -> None:
        message = m.PublishMessage(json_message=m.JsonMessage(message=payload))
        if isinstance(payload, bytes):
            message = m.PublishMessage(binary_message=m.BinaryMessage(message=payload))
        self._sdk.call(m.PublishToTopicRequest(topic=TOPIC, publish_message=message))

    def answers(self, count: int) -> list[dict[str, Any]]:
        eventually(lambda: len(self._heard) >= count)
        return list(self._heard)

    def close(self) -> None:
        self._events.queue.put(None)
        self._thread.join(60)


@contextmanager
def over_bus(root: Path) -> Iterator[OverBus]:
    """A bus, and somebody who asks over it."""
    with House(root).running() as house:
        asker = OverBus(house)
        try:
            yield asker
        finally:
            asker.close()
