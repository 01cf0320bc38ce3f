"""Rules of windows: what is taken of what a device tells, and when it was. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import msgspec

from lineside.contract.drift import DRIFT_SCHEMA, MOST_CLASSES, MOST_WINDOWS, QUANTITIES, DriftWindow, Sketch
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_digest, is_name
from lineside.contract.reading import UNREADABLE
from lineside.server.clock import parse_rfc3339, rfc3339

MAX_BYTES = 64 << 10
"""Largest message; one with all quantities and ten classes has about 3 KiB."""

LATE = timedelta(days=2)
"""How long a device may keep a window to itself; what is older may have been forgotten here, and count twice."""

_AHEAD = timedelta(minutes=1)
_MOST, _LONGEST = 1 << 40, 6 * 3600.0
_LONGEST_NAME = 128
_decoder = msgspec.json.Decoder(DriftWindow)


def read(device: str, payload: bytes) -> DriftWindow:
    """The window in a message. Raises `drift.invalid`."""
    if len(payload) > MAX_BYTES:
        raise LinesideError("drift.invalid", device=device, why=f"it has over {MAX_BYTES} bytes")
    try:
        window = _decoder.decode(payload)
        parse_rfc3339(window.began_at)
    except (*UNREADABLE, ValueError, OverflowError) as error:
        raise LinesideError("drift.invalid", device=device, why=error) from error
    why = _what_is_wrong(device, window)
    if why:
        raise LinesideError("drift.invalid", device=device, why=why)
    return window


def moment(window: DriftWindow, now: datetime) -> str:
    """When a window began, RFC 3339: as the device says, unless its clock is ahead: then it ended now. Raises
    `drift.invalid` for one that is too old."""
    began, lasted = parse_rfc3339(window.began_at), timedelta(seconds=window.seconds)
    if began > now + _AHEAD - lasted:
        return rfc3339(now - lasted)
    if began < now - LATE:
        why = f"it began at {window.began_at[:32]}: its clock is behind, or it was away for over {LATE.days} days"
        raise LinesideError("drift.invalid", device=window.device, why=why)
    return rfc3339(began)


def _what_is_wrong(device: str, window: DriftWindow) -> str:
    if window.schema != DRIFT_SCHEMA:
        return f"its schema is {window.schema[:40]!r}"
    if window.device != device:
        return f"it says it is of {window.device[:80]!r}"
    if window.component and not (is_name(window.component) and len(window.component) <= _LONGEST_NAME):
        return f"{window.component[:80]!r} is no component name"
    if len(window.source) > _LONGEST_NAME or not (window.source.isprintable()):
        return "the name of its source cannot be"
    if not (is_name(window.model) and len(window.model) <= 64 and is_digest(window.digest)):
        return "its model or digest cannot be"
    if not (0 <= window.version < 2**31 and 0 < window.seconds <= _LONGEST):
        return "its version or seconds cannot be"
    if not (0 <= window.frames < _MOST and 0 <= window.looked < _MOST):
        return "its frames cannot be"
    if not 1 <= window.k <= window.n <= MOST_WINDOWS:
        return f"{window.k} of {window.n} windows cannot be"
    if len(window.classes) > MOST_CLASSES or not all(map(_class_can_be, window.classes.items())):
        return f"it has over {MOST_CLASSES} classes, or some that cannot be"
    wrong = next((name for name, sketch in window.sketches.items() if not _sketch_can_be(name, sketch)), None)
    return "" if wrong is None else f"its sketch of {wrong[:40]!r} cannot be"


def _class_can_be(one: tuple[str, int]) -> bool:
    label, count = one
    return 0 < len(label) <= _LONGEST_NAME and label.isprintable() and 0 <= count < _MOST


def _sketch_can_be(name: str, sketch: Sketch) -> bool:
    quantity = QUANTITIES.get(name)
    if quantity is None or sketch.edges or len(sketch.counts) != len(quantity.edges) - 1:
        return False
    if not all(0 <= count < _MOST for count in sketch.counts):
        return False
    mean, highest = sketch.mean, float(_MOST)
    return (mean is None or (math.isfinite(mean) and abs(mean) < highest)) and 0 <= sketch.m2 < highest**2
