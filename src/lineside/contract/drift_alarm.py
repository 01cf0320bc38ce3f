"""Drift as people see it: what is watched, alarms and their states, curves over time.

raised ──► (acknowledged) ──► cleared by itself, when its quantities are near again, or another model runs
   └──► muted until a time: it goes on being watched, and asks nobody for anything
"""

from __future__ import annotations

import enum

import msgspec

from lineside.contract.capture import Capture
from lineside.contract.drift_causes import Cause
from lineside.contract.drift_distance import Distance


class DriftScope(enum.Enum):
    """Whose windows are looked at together."""

    DEVICE = "device"  # one source of a component, window by window
    GROUP = "group"  # all devices of a group by one model version, hour by hour
    FLEET = "fleet"  # all devices by one model version, hour by hour


class AlarmState(enum.Enum):
    """Where an alarm stands."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"  # somebody has seen it
    MUTED = "muted"  # nobody wants to hear of it until a time
    CLEARED = "cleared"


class DriftAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """Drift that is held, or was. `quantities` are the held ones with the newest distance of each."""

    number: int
    state: AlarmState
    stream: str
    scope: DriftScope
    name: str  # of the device or group; "fleet"
    component: str = ""
    source: str = ""
    model: str
    version: int
    digest: str
    quantities: dict[str, Distance]
    causes: tuple[Cause, ...] = ()
    shown_since: str  # the beginning of the first of the windows that made it count
    raised_at: str
    acknowledged_at: str | None = None
    acknowledged_by: str = ""
    why: str = ""  # what people said when they acknowledged or muted it
    muted_until: str | None = None
    cleared_at: str | None = None
    cleared_why: str = ""


class AlarmPage(msgspec.Struct, frozen=True, kw_only=True):
    """Alarms, newest first. `next` is what `before` of the page after this one has to be."""

    alarms: tuple[DriftAlarm, ...]
    total: int
    next: int | None = None


class AlarmShown(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm with captures of its devices, since it showed, that were kept for it; the newest first."""

    alarm: DriftAlarm
    captures: tuple[Capture, ...] = ()


class DriftStream(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched: the windows of one source, group or fleet, and how far the last one was. `baseline`: `tests`
    (the model's own test images), `field` (the same hours of an accepted week), or nothing to compare with."""

    id: str
    scope: DriftScope
    name: str
    component: str = ""
    source: str = ""
    model: str
    version: int
    digest: str
    baseline: str = ""
    baseline_since: str = ""
    baseline_until: str = ""
    accepted_by: str = ""  # who, or what, made the week what is usual
    first_at: str  # of what is counted towards its week
    last_at: str
    windows: int
    told: dict[str, Distance] = {}  # of the last window
    held: dict[str, int] = {}  # 1 above, -1 below what is usual
    k: int = 2  # a quantity is held when it is far in k of its last n windows
    n: int = 3
    alarm: int | None = None
    muted_until: str | None = None


class DriftPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity of one window: its shift, and the limit on that side, in spreads of the baseline."""

    at: str
    shift: float
    limit: float


class DriftCurves(msgspec.Struct, frozen=True, kw_only=True):
    """A stream over time, by quantity, oldest first."""

    stream: DriftStream
    curves: dict[str, tuple[DriftPoint, ...]]


class DriftPage(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, by name; those with an alarm first. `next` is what `after` of the next page has to be."""

    streams: tuple[DriftStream, ...]
    total: int
    next: str = ""


class AlarmAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says to an alarm."""

    why: str = ""
    hours: float = 24.0  # of muting


class Rebase(msgspec.Struct, frozen=True, kw_only=True):
    """Make the last days of a stream what is usual there."""

    stream: str
    why: str = ""
