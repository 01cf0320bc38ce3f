"""The MQTT broker as a port: results come in, hints go out. Nothing correct depends on a hint.

EmbeddedBroker (embedded_broker.py)  amqtt in this process, TLS, a certificate of our CA for each device
ExternalBroker (external_broker.py)  a client of a broker that is not ours
FakeBroker                           no network, for tests
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from lineside.contract import topics
from lineside.contract.overview import Need

OnResult = Callable[[str, bytes], None]
"""Called in a thread with the device that published, as its certificate says, and the payload. Returning means stored:
only then is the device told so. LinesideError means refused for good; any other error, that the device tries again."""


class Broker(Protocol):
    """Where devices publish results, and are told that something new waits for them."""

    async def start(self) -> None:
        """Begin to listen."""
        ...

    async def stop(self) -> None:
        """Close every connection and the port."""
        ...

    def hint(self, device: str) -> None:
        """Publish a hint; returns at once, from any thread, and never fails."""
        ...

    def hint_all(self, devices: Sequence[str]) -> None:
        """Publish a hint to each of many devices; returns at once, from any thread, and never fails."""
        ...

    def drop(self, device: str, serial: str | None = None) -> None:
        """End a device's connections, or those with one certificate; returns at once, from any thread, never fails."""
        ...

    def needs(self) -> tuple[Need, ...]:
        """What a person should know about the broker; any thread may ask."""
        ...


class FakeBroker:
    """Keeps hints in a list and hands results on at once, under the same rules on topics."""

    def __init__(self, on_result: OnResult = lambda device, payload: None) -> None:
        self.on_result = on_result
        self.hints: list[str] = []
        self.dropped: set[str] = set()

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    def hint(self, device: str) -> None:
        self.hints.append(device)

    def hint_all(self, devices: Sequence[str]) -> None:
        self.hints += devices

    def drop(self, device: str, serial: str | None = None) -> None:
        if serial is None:
            self.dropped.add(device)

    def needs(self) -> tuple[Need, ...]:
        return ()

    def publish(self, device: str, topic: str, payload: bytes) -> bool:
        """As if `device` published; whether it was allowed to."""
        if device in self.dropped or not topics.may_publish(device, topic):
            return False
        if topics.is_for_control_plane(device, topic):
            self.on_result(device, payload)
        return True
