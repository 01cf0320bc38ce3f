"""Telemetry: how a device's runtime and its machine do, as small messages, one a minute, which merge."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping
from typing import TypeVar

import msgspec

from lineside.contract.histogram import LATENCY_STEPS, quantile

TELEMETRY_SCHEMA = "lineside.telemetry/1"
MOST_SOURCES, MOST_REASONS = 64, 16
OTHER = "other"
"""What further sources or reasons are counted under."""

Steps = dict[int, int]
"""How many values lie in each step of latency (`contract.histogram`), without the empty ones."""


class SourceTelemetry(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the frames of one source in a while. Two of them merge by adding, `waiting` by the greater."""

    decided: int = 0
    late: int = 0  # of the decided ones, after the deadline
    failed: int = 0
    skipped: dict[str, int] = {}  # by reason
    waiting: int = 0  # at most, in its queue and being decided
    latency: Steps = {}  # of decisions, decode to detections
    queue: Steps = {}  # from arrival to the beginning of the decision

    def merged(self, other: SourceTelemetry) -> SourceTelemetry:
        """Both together."""
        return SourceTelemetry(
            decided=self.decided + other.decided,
            late=self.late + other.late,
            failed=self.failed + other.failed,
            skipped=_few(_added(self.skipped, other.skipped)),
            waiting=max(self.waiting, other.waiting),
            latency=_added(self.latency, other.latency),
            queue=_added(self.queue, other.queue),
        )


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """How the machine did in a while: the most that was seen of each. None is what it does not tell."""

    memory_mb: float | None = None  # of the runtime's process
    cpu_percent: float | None = None  # of one core, of the runtime's process
    temperature_celsius: float | None = None  # of the hottest zone
    throttled_percent: float | None = None  # of the time, because it was too hot

    def merged(self, other: Machine) -> Machine:
        """The most of both."""
        return Machine(**{name: _most(getattr(self, name), getattr(other, name)) for name in self.__struct_fields__})


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a runtime's process about a while, a minute by default; it grows with the number of sources, not
    with that of frames. `number` counts the messages of a process: one that comes twice counts once."""

    schema: str = TELEMETRY_SCHEMA
    device: str
    component: str = ""  # whose process it is
    process: str = ""  # another one each time it starts
    number: int = 0
    at: str  # when the while ended, RFC 3339 in UTC
    seconds: float  # how long it was
    sources: dict[str, SourceTelemetry] = {}
    machine: Machine = Machine()

    def merged(self, later: Telemetry) -> Telemetry:
        """This one and a later one of the same component, as if it had been one while."""
        sources = dict(self.sources)
        for name, one in later.sources.items():
            place = name if name in sources or len(sources) < MOST_SOURCES else OTHER
            sources[place] = sources[place].merged(one) if place in sources else one
        return Telemetry(
            device=later.device,
            component=later.component,
            process=later.process,
            number=later.number,
            at=max(self.at, later.at),
            seconds=self.seconds + later.seconds,
            sources=sources,
            machine=self.machine.merged(later.machine),
        )


class TelemetryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A while of one component of a device, as people read it: all its sources together."""

    at: str
    seconds: float
    component: str
    fps: float  # decisions a second
    decided: int
    late: int
    failed: int
    skipped: dict[str, int]
    waiting: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    queue_p95_ms: float | None
    machine: Machine


class DeviceTelemetry(msgspec.Struct, frozen=True, kw_only=True):
    """What a device told of its runtimes, oldest first; `newest` is its last message of each component."""

    device: str
    points: tuple[TelemetryPoint, ...] = ()
    newest: tuple[Telemetry, ...] = ()


def point_of(told: Telemetry) -> TelemetryPoint:
    """All sources of a message together."""
    whole = functools.reduce(SourceTelemetry.merged, told.sources.values(), SourceTelemetry())
    return TelemetryPoint(
        at=told.at,
        seconds=told.seconds,
        component=told.component,
        fps=round(whole.decided / told.seconds, 3) if told.seconds > 0 else 0.0,
        decided=whole.decided,
        late=whole.late,
        failed=whole.failed,
        skipped=whole.skipped,
        waiting=whole.waiting,
        latency_p50_ms=share_of(whole.latency, 0.5),
        latency_p95_ms=share_of(whole.latency, 0.95),
        latency_p99_ms=share_of(whole.latency, 0.99),
        queue_p95_ms=share_of(whole.queue, 0.95),
        machine=told.machine,
    )


def share_of(steps: Steps, share: float) -> float | None:
    """The value in ms below which that share of them lies, right to a step; None without values."""
    found = quantile([steps.get(step, 0) for step in range(LATENCY_STEPS)], share)
    return None if found is None else round(found, 3)


K = TypeVar("K", bound=Hashable)


def _added(one: Mapping[K, int], other: Mapping[K, int]) -> dict[K, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}


def _few(skipped: dict[str, int]) -> dict[str, int]:
    if len(skipped) <= MOST_REASONS:
        return skipped
    kept = dict(sorted(skipped.items(), key=lambda one: (one[0] == OTHER, -one[1]))[: MOST_REASONS - 1])
    kept[OTHER] = kept.get(OTHER, 0) + sum(skipped.values()) - sum(kept.values())
    return kept


def _most(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)
