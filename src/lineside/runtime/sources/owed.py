"""Acknowledgements that are owed to a broker which keeps a session: it sends a message again over a new connection as
long as it has none for it, under the same number and marked (MQTT 3.1.1, 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock


@dataclass(eq=False, slots=True)
class _Message:
    connection: int  # the one that it came over last
    settled: bool = False  # it could be acknowledged, were its connection still there


class Owed:
    """Which messages of QoS 1 are open. Usable from any thread."""

    def __init__(self, send: Callable[[int], object]) -> None:
        """`send` acknowledges a message number over the connection there is; it does not block."""
        self._send = send
        self._lock = Lock()
        self._connection = 0
        self._open: dict[int, _Message] = {}

    def connected(self, *, kept: bool) -> None:
        """There is a new connection; `kept`: the broker knows of what it sent before."""
        with self._lock:
            self._connection += 1
            if not kept:
                self._open.clear()

    def broken(self) -> None:
        """There is no connection: nothing can be acknowledged before a message comes again."""
        with self._lock:
            self._connection += 1

    def received(self, number: int, *, again: bool) -> Callable[[], None] | None:
        """How a message is acknowledged. None for one that came again and is known: it is being dealt with, or was, and
        is acknowledged for that."""
        with self._lock:
            known = self._open.get(number) if again else None
            if known is None:
                message = self._open[number] = _Message(self._connection)
                return lambda: self._settle(number, message)
            known.connection = self._connection
        if known.settled:
            self._settle(number, known)
        return None

    def _settle(self, number: int, message: _Message) -> None:
        with self._lock:
            message.settled = True
            if self._open.get(number) is message and message.connection == self._connection:
                del self._open[number]
                self._send(number)
