"""One connection to the broker, from CONNECT to its loss: paho-mqtt, driven by the thread that owns it."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import select
import ssl
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from lineside.agent.bus.ports import BrokerMessage
from lineside.agent.clock import Clock
from lineside.agent.link.dial import CONNECT_SECONDS, dial
from lineside.agent.link.error import LinkError
from lineside.agent.link.subscriptions import Subscriptions
from lineside.agent.link.tls import for_device, handshake
from lineside.agent.paths import Paths

KEEPALIVE = 45
_WELCOME_SECONDS = 10.0
_IN_FLIGHT = 200  # more than the link ever hands over, so that paho queues nothing

_log = logging.getLogger(__name__)


class _Client(mqtt.Client):
    """paho's client over a connection of ours: through the proxy, with our errors, certificate and dates' rule.

    Nobody can guess its client id: brokers give a session to whoever comes with the same one.
    """

    def __init__(self, device: str, paths: Paths, clock: Clock) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id=f"{device}-{secrets.token_hex(8)}")
        self._make = for_device(paths)
        self._clock = clock

    def _create_socket(self) -> Any:
        url = f"mqtts://{self._host}:{self._port}"
        return handshake(dial(self._host, self._port), self._make, self._host, url, self._clock)


class Session:
    """Connects at once. Raises `LinkError`.

    `ready` once the broker has welcomed us; `acknowledged` collects the numbers of messages that have arrived;
    `failure` says why the connection ended.
    """

    def __init__(
        self, device: str, address: tuple[str, int], paths: Paths, subscriptions: Subscriptions, clock: Clock
    ) -> None:
        self.ready = False
        self.acknowledged: list[int] = []
        self.failure: LinkError | None = None
        self._subscriptions = subscriptions
        self._numbers: dict[int, int] = {}  # message id to the number in the spool
        self._url = "{}:{}".format(*address)
        self._client = _Client(device, paths, clock)
        self._client.max_inflight_messages_set(_IN_FLIGHT)
        self._client.on_connect = self._welcomed
        self._client.on_message = self._heard
        self._client.on_publish = self._acknowledge
        self._client.on_subscribe = self._subscribed
        self._began = time.monotonic()
        subscriptions.anew()
        self._client.connect(*address, keepalive=KEEPALIVE)

    @property
    def in_flight(self) -> int:
        """Messages sent and not acknowledged."""
        return len(self._numbers)

    @property
    def congested(self) -> bool:
        """Whether the network has not taken what it was given."""
        return bool(self._client.want_write())

    def turn(self, signal: int, patience: float) -> bool:
        """Wait for the network, for `signal`, at most `patience` seconds, and do what is due; False once it is lost."""
        connection = self._client.socket()
        if connection is None:
            return False
        writing = select.POLLOUT if self._client.want_write() else 0
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN | writing)
        poll.register(signal, select.POLLIN)
        pending = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        if not self.ready:
            patience = min(patience, 1.0)
        events = dict(poll.poll(0 if pending else patience * 1000))
        if signal in events:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(signal)
        seen = events.get(connection.fileno(), 0)
        if pending or seen & ~select.POLLOUT:
            self._client.loop_read()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()
        if not self.ready and time.monotonic() - self._began > _WELCOME_SECONDS + CONNECT_SECONDS:
            self.failure = LinkError("link.timeout", url=self._url)
            return False
        return self._client.socket() is not None

    def subscribe(self) -> None:
        """Tell the broker which filters are wanted now, if that has changed."""
        for pattern, qos in self._subscriptions.changes():
            if qos is None:
                self._client.unsubscribe(pattern)
            else:
                self._client.subscribe(pattern, qos)

    def send(self, message: BrokerMessage, number: int | None = None) -> None:
        """Publish; with a number at QoS 1, acknowledged under that number."""
        qos = 0 if number is None else 1
        info = self._client.publish(message.topic, message.payload, qos=qos, retain=message.retain)
        if number is not None:
            self._numbers[info.mid] = number

    def close(self) -> None:
        """Say goodbye, if anybody is there."""
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()
            if self._client.socket() is not None:
                self._client.loop_write()
                self._client.loop_misc()
        connection = self._client.socket()
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def _welcomed(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self.failure = LinkError("link.unreachable", url=self._url, why=f"it refuses us ({reason})")
        else:
            self.ready = True

    def _heard(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        with contextlib.suppress(UnicodeDecodeError):
            self._subscriptions.deliver(
                BrokerMessage(
                    topic=message.topic, payload=bytes(message.payload), qos=message.qos, retain=message.retain
                )
            )

    def _acknowledge(self, client: mqtt.Client, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        number = self._numbers.pop(mid, None)
        if number is not None:
            self.acknowledged.append(number)

    def _subscribed(self, client: mqtt.Client, userdata: Any, mid: int, reasons: Any, properties: Any) -> None:
        for reason in reasons:
            if reason.is_failure:
                _log.warning("the broker refuses a subscription: %s", reason)
