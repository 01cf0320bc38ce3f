"""One device's connection to the embedded broker: the bytes on their way in and out.

On the way in, the client id of the CONNECT packet gets the device's name in front. amqtt keeps sessions by client id
alone and lets a second client with the same id take the first one's session over, certificate and all; with the name
in front, a device can only take over its own.

On the way out, the acknowledgement of a result (PUBACK, MQTT 3.1.1 section 3.4) is held back until it is stored. amqtt
sends it as soon as the message is in memory, and a device forgets what is acknowledged.
"""

from __future__ import annotations

import asyncio

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.mqtt.connect import ConnectPacket

MAX_PACKET = 1 << 20
"""Bytes a device may send in one packet."""

_PUBACK = 0x40


class LinkReader(StreamReaderAdapter):  # type: ignore[misc]  # amqtt ships no types
    """Reads the rewritten CONNECT packet first, then the connection."""

    def __init__(self, reader: asyncio.StreamReader, first: bytes = b"") -> None:
        super().__init__(reader)
        self._first = first

    async def read(self, n: int = -1) -> bytes:
        """Raises ConnectionAbortedError when a packet is too large."""
        if n > MAX_PACKET:
            raise ConnectionAbortedError(f"a packet of {n} bytes is over {MAX_PACKET}")
        if self._first:
            taken, self._first = self._first[:n], self._first[n:]
            return taken
        return bytes(await super().read(n))


class LinkWriter(StreamWriterAdapter):  # type: ignore[misc]  # amqtt ships no types
    """Writes what the broker writes, but acknowledgements only when `stored` was called for their packet."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__(writer)
        self._held: dict[int, bytes] = {}
        self._stored: set[int] = set()

    def write(self, data: bytes) -> None:
        """Hold an acknowledgement back, or write."""
        if data[:1] != bytes([_PUBACK]):
            super().write(data)
            return
        packet = int.from_bytes(data[2:4], "big")
        if packet in self._stored:
            self._stored.remove(packet)
            super().write(data)
        else:
            self._held[packet] = bytes(data)

    def stored(self, packet: int) -> None:
        """What came in this packet is safe: acknowledge it, now or when the broker gets to it."""
        data = self._held.pop(packet, None)
        if data is None:
            self._stored.add(packet)
        else:
            super().write(data)


async def read_connect(reader: asyncio.StreamReader, device: str) -> tuple[str, LinkReader]:
    """Read the CONNECT packet; the client id with the device's name in front, and a reader that reads it again so.

    Raises amqtt's errors when it is not a CONNECT packet.
    """
    packet = await ConnectPacket.from_stream(LinkReader(reader))
    client_id = f"{device}/{packet.client_id}"
    if packet.payload.client_id_is_random and not packet.clean_session_flag:
        client_id = ""  # no client id, and a session to keep: amqtt refuses it (MQTT-3.1.3-8)
    packet.payload.client_id = client_id
    return client_id, LinkReader(reader, packet.to_bytes())
