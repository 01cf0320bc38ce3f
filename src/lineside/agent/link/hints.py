"""Hints over MQTT: "a new desired document waits". They only make the next poll come sooner."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from lineside.agent.link.join_state import JoinState
from lineside.agent.paths import Paths
from lineside.contract import topics

_log = logging.getLogger(__name__)


class Hints:
    """A subscription to this device's hint topic over TLS with its own certificate; reconnects by itself."""

    def __init__(self, joined: JoinState, paths: Paths, hinted: Callable[[], None]) -> None:
        self._device = joined.device
        self._hinted = hinted
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{joined.device}-agent")
        context = ssl.create_default_context(cafile=str(paths.ca))
        context.load_cert_chain(paths.certificate, paths.key)
        self._client.tls_set_context(context)
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect = self._connected
        self._client.on_message = self._told
        self._client.on_socket_open = _without_delay
        self._address = (joined.mqtt_host or "", joined.mqtt_port or 0)

    def start(self) -> None:
        """Connect in the background; a broker that is away changes nothing."""
        if not all(self._address):
            return
        self._client.connect_async(*self._address, keepalive=30)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(topics.hint(self._device), qos=1)
        self._hinted()  # something may have been said while we were away

    def _told(self, *_: Any) -> None:
        _log.info("hinted")
        self._hinted()


def _without_delay(client: mqtt.Client, _: Any, connection: Any) -> None:
    # Without TCP_NODELAY a QoS 1 round trip takes 44 ms (Nagle's algorithm against delayed acknowledgements).
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
