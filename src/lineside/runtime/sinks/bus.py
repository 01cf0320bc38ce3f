"""Results to other components of the device, over its local bus: AWS Greengrass IPC, PublishToTopic.

The bus answers each call; a result has arrived when it did. Who hears it, the bus doesn't say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.runtime.rules.messages import events_of
from lineside.runtime.sinks.bus_frames import Kind
from lineside.runtime.sinks.bus_line import SECONDS, BusAddress, BusLine, bus_of, publishing, reason
from lineside.runtime.sinks.fixed import fixed
from lineside.runtime.sinks.settings import BusSinkSettings
from lineside.runtime.spool import Entry

_ROOM = 100


class Publisher:
    """One connection to a bus. Raises OSError when it cannot go on; then it is closed."""

    def __init__(self, address: BusAddress, timeout: float = SECONDS) -> None:
        self._line = BusLine(address, timeout)

    @property
    def worn(self) -> bool:
        """Whether its streams are used up."""
        return self._line.worn

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """JSON messages (topic, object), all sent before the first answer is waited for. Raises OSError unless each
        was taken."""
        try:
            waiting = set(self._line.call("PublishToTopic", *(publishing(*message) for message in messages)))
            while waiting:
                frame = self._line.next()
                if frame.number(":message-type") == Kind.ERROR:
                    raise OSError(f"the bus refuses: {reason(frame)}")
                waiting.discard(frame.number(":stream-id"))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        self._line.close()


class BusSink:
    """Publishes in the thread that calls `send`; connects again after a failure."""

    def __init__(self, settings: BusSinkSettings, environment: Mapping[str, str]) -> None:
        """Raises `sink.invalid`."""
        self.durable = settings.durable
        self._topic, self._events_topic = settings.topic, settings.events_topic
        for key, topic in (("topic", self._topic), ("events_topic", self._events_topic)):
            if topic and not topics.is_topic(topic):
                raise _invalid(key, "nothing can be published there")
        if not (self._topic or self._events_topic):
            raise _invalid("topic", "it is empty")
        address = bus_of(environment)
        if address is None:
            raise _invalid("bus", "the environment names no bus; the agent gives it to components")
        self._address = address
        self._publisher: Publisher | None = None
        self._arrived: list[int] = []

    def room(self) -> int:
        return _ROOM

    def trouble(self) -> str:
        return ""  # `send` raises

    def send(self, entries: Sequence[Entry]) -> None:
        """Raises OSError when not all was taken."""
        messages: list[tuple[str, bytes]] = []
        for entry in fixed(entries):
            if self._topic:
                messages.append((self._topic, entry.payload))
            if self._events_topic:
                messages += [(self._events_topic, event) for event in events_of(entry)]
        if messages:
            self._publish(messages)
        self._arrived += [entry.sequence for entry in entries]

    def settled(self) -> list[int]:
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self, timeout: float) -> None:
        if self._publisher is not None:
            self._publisher.close()

    def _publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        if self._publisher is None or self._publisher.worn:
            self.close(0.0)
            self._publisher = Publisher(self._address)
        try:
            self._publisher.publish(messages)
        except OSError:
            self._publisher = None
            raise


def _invalid(key: str, why: str) -> LinesideError:
    return LinesideError("sink.invalid", sink="bus", key=key, why=why)
