"""One MQTT connection of the control plane to a broker that is not its own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from lineside.server.adapters import mqtt_packets as mqtt
from lineside.server.adapters.mqtt_packets import MqttError, Packet, Parser

KEEPALIVE = 20
"""Seconds: a broker that is silent for so long, though asked, is gone (MQTT 3.1.1, section 3.1.2.10)."""
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Address:
    """Where a broker listens, and the TLS to use there (None: plain TCP, for tests)."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Connection:
    """Made by `open_connection`. One task reads; any code of the loop may send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._parser = Parser()
        self._ready: list[Packet] = []

    async def packets(self) -> Sequence[Packet]:
        """What has come in, at least one packet. Raises OSError or `MqttError` when the connection is lost."""
        if self._ready:
            ready, self._ready = self._ready, []
            return ready
        asked = False
        while True:
            try:
                data = await asyncio.wait_for(self._reader.read(1 << 16), KEEPALIVE / 2)
            except TimeoutError as error:
                if asked:
                    raise ConnectionError("it has stopped to answer") from error
                asked = True
                self.send(mqtt.PINGREQ)
                continue
            if not data:
                raise ConnectionError("it closed the connection")
            if found := list(self._parser.feed(data)):
                return found

    async def one(self) -> Packet:
        """The next packet; those behind it are kept."""
        first, *rest = await self.packets()
        self._ready = [*rest, *self._ready]
        return first

    async def subscribe(self, pattern: str, qos: int) -> None:
        """Subscribe; messages that come before the answer are kept. Raises `MqttError` when it is refused."""
        self.send(mqtt.subscribe(1, pattern, qos))
        earlier: list[Packet] = []
        while (packet := await self.one()).kind != mqtt.SUBACK:
            earlier.append(packet)
        self._ready = [*earlier, *self._ready]
        if packet.body[2:] != bytes([qos]):
            raise MqttError(f"it does not let the control plane read {pattern}")

    def send(self, data: bytes) -> None:
        """Send whole packets; returns at once."""
        self._writer.write(data)

    async def close(self) -> None:
        """Say goodbye, if anybody is there."""
        with contextlib.suppress(OSError, RuntimeError):
            self.send(mqtt.DISCONNECT)
            await asyncio.wait_for(self._writer.drain(), 1.0)
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), 1.0)
        self._writer.transport.abort()

    def abort(self) -> None:
        """End it without a word."""
        self._writer.transport.abort()


async def open_connection(address: Address, client_id: str, *, clean: bool) -> Connection:
    """Connect and be welcomed. Raises OSError (TimeoutError, ssl.SSLError among them) or `MqttError`."""
    async with asyncio.timeout(_CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=address.tls)
        connection = Connection(reader, writer)
        try:
            connection.send(mqtt.connect(client_id, clean=clean, keepalive=KEEPALIVE))
            mqtt.read_connack(await connection.one())
        except BaseException:
            connection.abort()
            raise
        return connection
