"""MQTT 3.1.1 packets, as far as a control plane needs them: bytes in, values out, no I/O.

Our own rather than a client library's, because ten thousand hints are then one write instead of ten thousand calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x90, 0xD0
"""Kinds of packets: the upper half of their first byte (section 2.2.1)."""
PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
MAX_PACKET = 2 << 20
"""Bytes of one packet that are read; a device's broker closes at 1 MiB."""

REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "it refuses the client id",
    3: "it is not available",
    4: "it wants another user name or password",
    5: "it does not let this certificate in",
}
"""What the return codes of CONNACK mean (section 3.2.2.3)."""


class MqttError(Exception):
    """The other side does not keep to MQTT 3.1.1, or refuses us; the text says how."""


@dataclass(frozen=True)
class Packet:
    """One packet: its kind, the lower half of its first byte, and what follows its length."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True)
class Published:
    """A message that came in; `packet` is its number when it wants an acknowledgement (QoS 1)."""

    topic: str
    payload: bytes
    packet: int | None


class Parser:
    """Takes bytes as they come and gives whole packets."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that are complete now. Raises `MqttError` for one that is too large or has no length."""
        self._buffer += data
        while (found := _length(self._buffer)) is not None:
            start, length = found
            if len(self._buffer) < start + length:
                return
            first, body = self._buffer[0], bytes(self._buffer[start : start + length])
            del self._buffer[: start + length]
            yield Packet(first & 0xF0, first & 0x0F, body)


def connect(client_id: str, *, clean: bool, keepalive: int) -> bytes:
    """CONNECT (section 3.1) without user name: the certificate says who we are. `keepalive` in seconds."""
    variable = _text("MQTT") + bytes([4, 2 if clean else 0]) + keepalive.to_bytes(2, "big")
    return _packet(0x10, variable + _text(client_id))


def subscribe(packet: int, pattern: str, qos: int) -> bytes:
    """SUBSCRIBE to one filter (section 3.8)."""
    return _packet(0x82, packet.to_bytes(2, "big") + _text(pattern) + bytes([qos]))


def publish(topic: str, payload: bytes) -> bytes:
    """PUBLISH at QoS 0 (section 3.3)."""
    return _packet(PUBLISH, _text(topic) + payload)


def puback(packet: int) -> bytes:
    """PUBACK (section 3.4)."""
    return bytes([PUBACK, 2]) + packet.to_bytes(2, "big")


def read_connack(packet: Packet) -> bool:
    """Whether a session was kept for us. Raises `MqttError` when we are refused."""
    if packet.kind != CONNACK or len(packet.body) != 2:
        raise MqttError("it does not answer as an MQTT broker does")
    if packet.body[1]:
        raise MqttError(REFUSALS.get(packet.body[1], f"it refuses the connection ({packet.body[1]})"))
    return bool(packet.body[0] & 1)


def read_publish(packet: Packet) -> Published:
    """Raises `MqttError` when it is cut short, is not text where text must be, or comes at QoS 2."""
    qos, body = packet.flags >> 1 & 3, packet.body
    end = 2 + int.from_bytes(body[:2], "big")
    rest = end + 2 if qos else end
    if qos > 1 or len(body) < max(2, rest):
        raise MqttError("it sent a message that cannot be read")
    try:
        topic = body[2:end].decode()
    except UnicodeDecodeError as error:
        raise MqttError("it sent a message that cannot be read") from error
    return Published(topic, body[rest:], int.from_bytes(body[end:rest], "big") if qos else None)


def _length(buffer: bytearray) -> tuple[int, int] | None:
    """Where the body starts and how long it is (section 2.2.3), once that is known."""
    length = 0
    for place in range(4):
        if len(buffer) < place + 2:
            return None
        byte = buffer[place + 1]
        length |= (byte & 0x7F) << 7 * place
        if length > MAX_PACKET:
            raise MqttError(f"it sent a packet of more than {MAX_PACKET} bytes")
        if not byte & 0x80:
            return place + 2, length
    raise MqttError("it sent a packet without a length")


def _packet(first: int, body: bytes) -> bytes:
    header, left = bytearray([first]), len(body)
    while True:
        left, digit = left >> 7, left & 0x7F
        header.append(digit | (0x80 if left else 0))
        if not left:
            return bytes(header) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
