"""Sinks: where results go. One file each behind one Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from lineside.runtime.spool import Entry

MQTT, MQTT_TOPICS = "mqtt", "mqtt-topics"
"""Two sinks of one configuration: to the control plane, and to the user's own topics."""

BEGINS_AT = {MQTT_TOPICS: MQTT}
"""Where a sink begins that the spool does not know yet, in place of the oldest result: as far as another has come."""


class Refused(NamedTuple):
    """A result that the other side will never take, and its answer."""

    sequence: int
    why: str


class Sink(Protocol):
    """Takes results in order and says, at its own time, which have arrived. Called by one thread, its own: it may
    wait. `send` that raises has taken nothing; it is asked again after a while, with the same results."""

    durable: bool
    """Whether results wait in the spool until it has them, however long that takes."""

    def room(self) -> int:
        """How many results it takes now; 0 while the other side is away."""

    def send(self, entries: Sequence[Entry]) -> None:
        """Takes results; at most `room()` of them. May deliver one twice after a restart, with the same number."""

    def settled(self) -> list[int]:
        """The sequence numbers that have arrived since the last call: the spool may forget them."""

    def trouble(self) -> str:
        """What is wrong now, in a few words; nothing when all is well."""

    def close(self, timeout: float) -> None:
        """Waits at most `timeout` seconds for what was sent, then lets go."""


@runtime_checkable
class Refusing(Protocol):
    """A sink whose other side may refuse a result for good."""

    def refused(self) -> list[Refused]:
        """What was refused since the last call: the spool may forget it, and the next results go on."""
