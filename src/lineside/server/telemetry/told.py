"""Rules of telemetry: what is taken of what a device tells. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.histogram import LATENCY_STEPS
from lineside.contract.ids import is_name
from lineside.contract.reading import UNREADABLE
from lineside.contract.telemetry import (
    MOST_REASONS,
    MOST_SOURCES,
    OTHER,
    TELEMETRY_SCHEMA,
    SourceTelemetry,
    Telemetry,
)
from lineside.server.clock import parse_rfc3339, rfc3339

MAX_BYTES = 64 << 10
"""Largest message; one about four cameras has about 1 KiB."""

MOST_KEPT = 32 << 10
"""Bytes of a minute or an hour of one component that are kept: some fifty busy sources."""

_BEGINNING = b'{"schema":"lineside.telemetry/'
_MOST = 1 << 40
_LONGEST = 3600.0
_AHEAD = timedelta(minutes=1)
_decoder = msgspec.json.Decoder(Telemetry)


def is_telemetry(payload: bytes) -> bool:
    """Whether a message is telemetry and no result: both are written with their schema first."""
    return payload.startswith(_BEGINNING)


def read(device: str, payload: bytes, now: datetime) -> Telemetry:
    """The telemetry in a message; of a clock that is ahead, the moment is ours. Raises `telemetry.invalid`."""
    if len(payload) > MAX_BYTES:
        raise LinesideError("telemetry.invalid", device=device, why=f"it has over {MAX_BYTES} bytes")
    try:
        told = _decoder.decode(payload)
        at = parse_rfc3339(told.at)
    except (*UNREADABLE, ValueError) as error:
        raise LinesideError("telemetry.invalid", device=device, why=error) from error
    why = _what_is_wrong(device, told)
    if why:
        raise LinesideError("telemetry.invalid", device=device, why=why)
    return msgspec.structs.replace(told, at=rfc3339(now if at > now + _AHEAD else at))


def cut(told: Telemetry, most: int = MOST_KEPT) -> Telemetry:
    """What is kept of it in at most so many bytes: the sources with the fewest frames are counted under `other`, until
    the rest fits. Sums over all sources stay what they are."""
    kept = dict(sorted(told.sources.items(), key=lambda one: (one[0] != OTHER, _frames(one[1])), reverse=True))
    other = kept.pop(OTHER, SourceTelemetry())
    while kept and len(msgspec.json.encode(told)) > most:
        _, fewest = kept.popitem()
        other = other.merged(fewest)
        told = msgspec.structs.replace(told, sources={**kept, OTHER: other})
    return told


def _frames(one: SourceTelemetry) -> int:
    return one.decided + one.failed + sum(one.skipped.values())


def _what_is_wrong(device: str, told: Telemetry) -> str:
    if told.schema != TELEMETRY_SCHEMA:
        return f"its schema is {told.schema!r}"
    if told.device != device:
        return f"it says it is of {told.device!r}"
    if told.component and not is_name(told.component):
        return f"{told.component[:80]!r} is no component name"
    if len(told.process) > 64 or not 0 <= told.number < _MOST or not 0 < told.seconds <= _LONGEST:
        return "its process, number or seconds cannot be"
    if len(told.sources) > MOST_SOURCES or not all(0 < len(name) <= 128 for name in told.sources):
        return f"it has over {MOST_SOURCES} sources, or names of them that cannot be"
    machine = [value for value in msgspec.structs.astuple(told.machine) if value is not None]
    if not all(abs(value) < _MOST for value in machine):
        return "a measure of the machine cannot be"
    return "" if all(map(_can_be, told.sources.values())) else "a count cannot be"


def _can_be(one: SourceTelemetry) -> bool:
    counts = (one.decided, one.late, one.failed, one.waiting, *one.skipped.values())
    steps = (*one.latency.items(), *one.queue.items())
    return (
        len(one.skipped) <= MOST_REASONS
        and all(len(reason) <= 80 for reason in one.skipped)
        and all(0 <= count < _MOST for count in counts)
        and all(0 <= step < LATENCY_STEPS and 0 <= count < _MOST for step, count in steps)
    )
