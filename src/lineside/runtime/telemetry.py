"""Telemetry: how the line and the machine do, as one small message a minute, however many frames there were.

A message that cannot be sent waits, with those of the hour before it, in memory; older ones are dropped, and a restart
loses them all: telemetry is about how a machine does, and what the device decided never goes this way.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import partial
from threading import Event, Lock, Thread

import msgspec

from lineside.contract import topics
from lineside.contract.histogram import latency_step
from lineside.contract.telemetry import MOST_SOURCES, Machine, SourceTelemetry, Telemetry
from lineside.runtime.accounting import Counts
from lineside.runtime.announce import announce, rfc3339
from lineside.runtime.machine import MachineReader
from lineside.runtime.sinks import Sink
from lineside.runtime.sinks.mqtt import MqttSink

EVERY = 60.0
"""Seconds that one message is about."""
WAITING_AT_MOST = 60
"""Messages that wait for a broker."""
_LOOK = 1.0  # seconds between two looks at queues and at the machine

Ledger = Callable[[], Mapping[str, Counts]]
"""The counts of every source since the start."""


def teller_of(meter: Meter, sinks: Mapping[str, Sink], device: str, component: str) -> Teller | None:
    """The teller of a line that publishes over MQTT; of another none, because nobody would hear it."""
    for sink in sinks.values():
        if isinstance(sink, MqttSink):
            return Teller(meter, partial(sink.say, topics.telemetry(device)), device=device, component=component)
    return None


class Meter:
    """Collects what happens until a message is made of it. From any thread."""

    def __init__(self, counts: Ledger) -> None:
        self._counts = counts
        self._lock = Lock()
        self._before: dict[str, Counts] = {}
        self._latency: dict[str, Counter[int]] = {}
        self._queue: dict[str, Counter[int]] = {}
        self._waiting: Counter[str] = Counter()

    def decided(self, source: str, latency_ms: float, queue_ms: float) -> None:
        """A decision: how long it took, and how long its frame had waited for it to begin."""
        with self._lock:
            self._latency.setdefault(source, Counter())[latency_step(latency_ms)] += 1
            self._queue.setdefault(source, Counter())[latency_step(max(0.0, queue_ms))] += 1

    def look(self) -> None:
        """Notes how much waits just now."""
        counts = self._counts()
        with self._lock:
            for name, one in counts.items():
                self._waiting[name] = max(self._waiting[name], one.waiting)

    def take(self) -> dict[str, SourceTelemetry]:
        """What happened since the call before."""
        self.look()
        counts = self._counts()
        with self._lock:
            latency, self._latency = self._latency, {}
            queue, self._queue = self._queue, {}
            waiting, self._waiting = self._waiting, Counter()
            before, self._before = self._before, dict(counts)
        return {
            name: _since(before.get(name, Counts()), counts[name], latency.get(name), queue.get(name), waiting[name])
            for name in sorted(counts)[:MOST_SOURCES]
        }


def _since(
    before: Counts, now: Counts, latency: Counter[int] | None, queue: Counter[int] | None, waiting: int
) -> SourceTelemetry:
    skipped = {why: count - before.skipped.get(why, 0) for why, count in now.skipped.items()}
    return SourceTelemetry(
        decided=now.decided - before.decided,
        late=now.late - before.late,
        failed=now.failed - before.failed,
        skipped={why: count for why, count in skipped.items() if count},
        waiting=waiting,
        latency=dict(sorted((latency or {}).items())),
        queue=dict(sorted((queue or {}).items())),
    )


class Teller:
    """Makes a message each minute and has it sent, in a thread of its own. Whatever breaks here stays here."""

    def __init__(
        self,
        meter: Meter,
        say: Callable[[bytes], bool],
        *,
        device: str,
        component: str = "",
        every: float = EVERY,
        machine: MachineReader | None = None,
    ) -> None:
        """`say` publishes, and answers whether it could."""
        self._meter, self._say, self._every = meter, say, every
        self._device, self._component, self._process = device, component, uuid.uuid4().hex[:12]
        self._reader = machine or MachineReader()
        self._machine = Machine()
        self._number = 0
        self._waiting: deque[bytes] = deque(maxlen=WAITING_AT_MOST)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """End, with a last message about what is not a minute yet."""
        self._stop.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(min(_LOOK, self._every)):
            try:
                self._look()
                if time.monotonic() - began >= self._every:
                    began = self._tell(began)
            except Exception as error:  # noqa: BLE001 no decision may end because of a file in /sys
                announce("telemetry.failed", why=f"{type(error).__name__}: {error}")
                self._stop.wait(self._every)
        self._tell(began)

    def _look(self) -> None:
        self._meter.look()
        self._machine = self._machine.merged(self._reader.read())
        while self._waiting and self._say(self._waiting[0]):
            self._waiting.popleft()

    def _tell(self, began: float) -> float:
        now = time.monotonic()
        self._number += 1
        told = Telemetry(
            device=self._device,
            component=self._component,
            process=self._process,
            number=self._number,
            at=rfc3339(time.time()),
            seconds=round(max(now - began, 1e-3), 3),
            sources=self._meter.take(),
            machine=self._machine,
        )
        self._machine = Machine()
        self._waiting.append(msgspec.json.encode(told))
        self._look()
        return now
