"""Who wants to hear which topics: several callbacks a filter, one subscription at the broker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from paho.mqtt.client import topic_matches_sub

from lineside.agent.bus.ports import BrokerMessage

Deliver = Callable[[BrokerMessage], None]

_log = logging.getLogger(__name__)


class Subscriptions:
    """Usable from several threads; `changes` and `deliver` belong to the connection's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[str, list[tuple[int, Deliver]]] = {}
        self._at_broker: dict[str, int] = {}

    def add(self, pattern: str, qos: int, deliver: Deliver) -> Callable[[], None]:
        """Want a filter; call what is returned to stop (once or more)."""
        entry = (qos, deliver)
        with self._lock:
            self._wanted.setdefault(pattern, []).append(entry)

        def end() -> None:
            with self._lock:
                entries = self._wanted.get(pattern, [])
                left = [one for one in entries if one is not entry]
                if left:
                    self._wanted[pattern] = left
                else:
                    self._wanted.pop(pattern, None)

        return end

    def anew(self) -> None:
        """The broker knows of no subscription: a new session began."""
        with self._lock:
            self._at_broker.clear()

    def changes(self) -> list[tuple[str, int | None]]:
        """What the broker must be told: filter and QoS, or None to unsubscribe. Told once."""
        with self._lock:
            wanted = {pattern: max(qos for qos, _ in entries) for pattern, entries in self._wanted.items()}
            found: list[tuple[str, int | None]] = [
                (pattern, None) for pattern in self._at_broker if pattern not in wanted
            ]
            found += [(pattern, qos) for pattern, qos in wanted.items() if self._at_broker.get(pattern) != qos]
            self._at_broker = wanted
        return found

    def deliver(self, message: BrokerMessage) -> None:
        """Hand a message to everybody whose filter matches."""
        with self._lock:
            found = [
                deliver
                for pattern, entries in self._wanted.items()
                if topic_matches_sub(pattern, message.topic)
                for _, deliver in entries
            ]
        for deliver in found:
            try:
                deliver(message)
            except Exception:  # noqa: BLE001  # one subscriber's mistake must not end the connection
                _log.exception("a subscriber of %s failed", message.topic)
