"""Results over MQTT 3.1.1 at QoS 1, by TLS with the device's own certificate: to the control plane, and to topics of
the user. Each has a connection, and waits for nothing that keeps the other."""

from __future__ import annotations

import secrets
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.contract.result import Result
from lineside.contract.schema_versions import RESULTS, Schema
from lineside.runtime.rules.messages import events_of
from lineside.runtime.sinks.fixed import fixed
from lineside.runtime.sinks.taken import Taken
from lineside.runtime.spool import Entry

_IN_FLIGHT = 100
_KEEP_ALIVE = 30
_POLL = 0.02
_PATIENCE = 30.0
"""Seconds without any acknowledgement, while some are owed, after which a connection is as good as none."""


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the broker. Without `ca` the connection is plain TCP (a broker on the device itself)."""

    host: str
    port: int
    device: str
    topic: str = ""  # the user's, beside Lineside's own; empty is none
    events_topic: str = ""  # of rules' events (`runtime.rules.messages`) alone; empty is none
    durable: bool = True
    taken: Path | None = None  # the agent's file of what the control plane takes, see `contract.schema_versions`
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Publisher:
    """One connection of a sink. Connects, and reconnects for ever, in paho's own thread; what was in flight is sent
    again by paho. `wake` is called from that thread when something may have changed."""

    def __init__(self, settings: MqttSettings, wake: Callable[[], None]) -> None:
        """Raises `mqtt.tls_unusable` when the CA, certificate or key cannot be used."""
        self.durable = settings.durable
        self._place = f"{settings.host}:{settings.port}"
        self._why = ""  # until something is acknowledged: a broker that only lets in is none
        self._heard = time.monotonic()  # the last acknowledgement, or the moment since which one is owed
        self._wake = wake
        self._connected = Event()
        self._acknowledged: deque[int] = (
            deque()
        )  # message ids; paho's callback holds paho's lock, so it only notes them
        self._waiting: dict[int, int] = {}  # message id -> sequence
        self._open: Counter[int] = Counter()  # sequence -> acknowledgements still missing
        self._silent: list[int] = []  # results that had nothing to be published
        self._client = self._made_client(settings)
        self._client.connect_async(settings.host, settings.port, keepalive=_KEEP_ALIVE)
        self._client.loop_start()

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    def room(self) -> int:
        return max(0, _IN_FLIGHT - len(self._waiting)) if self.connected else 0

    def trouble(self) -> str:
        return self._why if self._waiting or not self.connected else ""

    def settled(self) -> list[int]:
        self._renew()
        arrived, self._silent = self._silent, []
        while self._acknowledged:
            sequence = self._waiting.pop(self._acknowledged.popleft(), None)
            if sequence is None:
                continue
            self._open[sequence] -= 1
            if self._open[sequence] == 0:
                del self._open[sequence]
                arrived.append(sequence)
        if self.connected and not self._waiting:
            self._why = ""
        return arrived

    def close(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while self.connected and len(self._acknowledged) < len(self._waiting) and time.monotonic() < deadline:
            time.sleep(_POLL)
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, sequence: int, messages: Sequence[tuple[str, bytes]]) -> None:
        """All messages (topic, payload) of a result: it has arrived when each was acknowledged."""
        if not messages:
            self._silent.append(sequence)
            return
        self._open[sequence] = len(messages)
        if not self._waiting:
            self._heard = time.monotonic()
        for topic, payload in messages:
            self._waiting[self._client.publish(topic, payload, qos=1).mid] = sequence

    def _renew(self) -> None:
        """Ends a connection over which nothing is acknowledged: paho makes another, and sends again what is owed."""
        if not (self.connected and self._waiting) or time.monotonic() - self._heard < _PATIENCE:
            return
        self._why, self._heard = self._why or f"{self._place} acknowledges nothing", time.monotonic()
        line = self._client.socket()
        if isinstance(line, socket.socket):
            with suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)  # of TLS, too: what paho reads then is the end

    def _made_client(self, settings: MqttSettings) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"{settings.device}-{secrets.token_hex(8)}")
        if settings.ca is not None:
            client.tls_set_context(tls_of(settings))
        client.max_inflight_messages_set(_IN_FLIGHT)
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.on_socket_open = send_at_once
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _on_connect(
        self, client: Client, userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._why = f"{self._place} refuses: {reason}"
            return
        self._heard = time.monotonic()
        self._connected.set()
        self._wake()

    def _on_connect_fail(self, client: Client, userdata: Any) -> None:
        self._why = f"{self._place} cannot be reached"

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._connected.clear()
        self._why = self._why or f"{self._place} has ended the connection: {reason}"

    def _on_publish(
        self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._why, self._heard = "", time.monotonic()
        self._acknowledged.append(mid)
        self._wake()


class MqttSink(Publisher):
    """Publishes each result to the device's results topic, for the control plane: in a version of the schema that it
    takes."""

    def __init__(
        self, settings: MqttSettings, *, wake: Callable[[], None] = lambda: None, schema: Schema[Result] = RESULTS
    ) -> None:
        """Raises `mqtt.tls_unusable`."""
        self._topic = topics.results(settings.device)
        self._taken, self._schema = Taken(settings.taken), schema
        super().__init__(settings, wake)

    def send(self, entries: Sequence[Entry]) -> None:
        """Raises `result.no_common_version`."""
        taken = self._taken.versions()
        spoke = [self._schema.spoken(entry.payload, taken) for entry in entries]
        for entry, said in zip(entries, spoke, strict=True):
            self._publish(entry.sequence, [(self._topic, said)])

    def say(self, topic: str, payload: bytes) -> bool:
        """Publishes what is no result, once, from any thread; whether there was a connection for it that is of use."""
        if not self.connected or self.trouble():
            return False
        self._client.publish(topic, payload, qos=1)
        return True


class MqttTopicsSink(Publisher):
    """Publishes each result to the user's topic, and the events of its rules to theirs, in the version of the schema
    that users are promised."""

    def __init__(
        self, settings: MqttSettings, *, wake: Callable[[], None] = lambda: None, schema: Schema[Result] = RESULTS
    ) -> None:
        """Raises `mqtt.topic_forbidden` for a topic that no device may publish to, `mqtt.tls_unusable`."""
        self._topic, self._events_topic = settings.topic, settings.events_topic
        for topic in (self._topic, self._events_topic):
            if topic and not topics.may_publish(settings.device, topic):
                raise LinesideError("mqtt.topic_forbidden", topic=topic, device=settings.device)
        self._schema = schema
        super().__init__(settings, wake)

    def send(self, entries: Sequence[Entry]) -> None:
        for entry in fixed(entries, self._schema):
            messages = [(self._topic, entry.payload)] if self._topic else []
            if self._events_topic:
                messages += [(self._events_topic, event) for event in events_of(entry)]
            self._publish(entry.sequence, messages)


def tls_of(settings: MqttSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
    except OSError as error:  # ssl.SSLError is one
        raise LinesideError("mqtt.tls_unusable", why=error.strerror or error) from error
    return context


def send_at_once(client: Client, userdata: Any, sock: Any) -> None:
    """Without TCP_NODELAY a QoS 1 round trip takes 44 ms: Nagle's algorithm waits for a delayed acknowledgement."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
