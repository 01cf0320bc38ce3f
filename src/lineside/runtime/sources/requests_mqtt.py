"""Requests over MQTT. A request is acknowledged once its answer was given to the broker: one that was being decided
when the process ended comes again, and one that was when the connection broke is decided once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.runtime.frames import SourceState
from lineside.runtime.sinks.mqtt import MqttSettings, send_at_once, tls_of
from lineside.runtime.sources.owed import Owed
from lineside.runtime.sources.requests import Asked, RequestSettings, RequestSource

_KEEP_ALIVE = 30


class MqttRequests(RequestSource):
    """Raises `config.invalid` without a broker, `mqtt.topic_forbidden`, `mqtt.tls_unusable`, once it runs."""

    comes_back = True

    def __init__(
        self,
        name: str,
        settings: RequestSettings,
        broker: MqttSettings | None,
        folders: Sequence[Path],
        *,
        component: str = "",
    ) -> None:
        """`component`: whose source it is; two may have sources of one name, and the broker tells them apart by it."""
        super().__init__(name, settings, folders)
        self._component, self._broker = component, broker
        self._client: Client | None = None
        self._owed = Owed(lambda number: None)

    def open(self) -> None:
        self._client = self._connected()

    def say(self, answer: bytes) -> None:
        if self._client is not None:
            self._client.publish(self.answers, answer, qos=1)

    def close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def _connected(self) -> Client:
        broker = self._broker
        if broker is None:
            raise LinesideError("config.invalid", path=self.name, why="requests need a broker; the agent names none")
        allowed = topics.may_subscribe(broker.device, self.topic)
        for topic, good in ((self.topic, allowed), (self.answers, _publishable(broker, self.answers))):
            if not good:
                raise LinesideError("mqtt.topic_forbidden", topic=topic, device=broker.device)
        whose = "-".join(part for part in (broker.device, self._component, self.name) if part)
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{whose}-requests",
            clean_session=False,  # what is not acknowledged comes again
            manual_ack=True,
        )
        if broker.ca is not None:
            client.tls_set_context(tls_of(broker))
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.on_socket_open = send_at_once
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._owed = Owed(lambda number: client.ack(number, 1))
        client.connect_async(broker.host, broker.port, keepalive=_KEEP_ALIVE)
        client.loop_start()
        return client

    def _on_connect(
        self, client: Client, userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._away(f"it refuses: {reason}")
            return
        self._owed.connected(kept=flags.session_present)
        client.subscribe(self.topic, qos=1)
        self.become(SourceState.RUNNING)

    def _on_connect_fail(self, client: Client, userdata: Any) -> None:
        self._away("it cannot be reached")

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._owed.broken()
        if self.health().state is not SourceState.AWAY:  # else it was said better
            self._away(str(reason))

    def _away(self, why: str) -> None:
        if not self.stopping.is_set():
            self.become(SourceState.AWAY, LinesideError("source.away", url="the broker", why=why))

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        acknowledge: Callable[[], None] | None = _nothing
        if message.qos:
            acknowledge = self._owed.received(message.mid, again=message.dup)
        if acknowledge is not None:
            self.hear(Asked(bytes(message.payload), acknowledge))


def _nothing() -> None:
    """How a message is acknowledged for which nobody waits."""


def _publishable(broker: MqttSettings, topic: str) -> bool:
    return topics.is_topic(topic) and topics.may_publish(broker.device, topic)
