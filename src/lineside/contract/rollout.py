"""Rollouts: how a deployment reaches the devices of its group, wave by wave, each wave on the evidence of those before.

The plan is part of the deployment document, so its JSON names are in camel case as Greengrass's are.
"""

from __future__ import annotations

import enum

import msgspec

from lineside.contract.errors import ErrorReport
from lineside.contract.moves import Moved


class RolloutState(enum.Enum):
    """Where a rollout stands."""

    PENDING = "pending"  # stored, no device told yet: its start time has not come, or its group is empty
    RUNNING = "running"  # waves are under way
    PAUSED = "paused"  # a person holds it: no further device is told, reports are still taken in
    SUCCEEDED = "succeeded"  # every wave is done, within its gates
    ROLLING_BACK = "rolling_back"  # a gate tripped, or a person said so: devices are being sent back
    FAILED = "failed"  # stopped by a gate; devices are back on what they ran, unless the failure policy leaves them
    ABORTED = "aborted"  # stopped by a person, where it was or after everything was sent back; or at a deadline
    SUPERSEDED = "superseded"  # a newer deployment of the group took over


ROLLOUT_MOVES: dict[RolloutState, frozenset[RolloutState]] = {
    RolloutState.PENDING: frozenset({RolloutState.RUNNING, RolloutState.ABORTED, RolloutState.SUPERSEDED}),
    RolloutState.RUNNING: frozenset(
        {
            RolloutState.PAUSED,
            RolloutState.SUCCEEDED,
            RolloutState.ROLLING_BACK,
            RolloutState.ABORTED,
            RolloutState.SUPERSEDED,
        }
    ),
    RolloutState.PAUSED: frozenset(
        {RolloutState.RUNNING, RolloutState.ROLLING_BACK, RolloutState.ABORTED, RolloutState.SUPERSEDED}
    ),
    RolloutState.ROLLING_BACK: frozenset({RolloutState.FAILED, RolloutState.ABORTED, RolloutState.SUPERSEDED}),
    RolloutState.SUCCEEDED: frozenset({RolloutState.RUNNING, RolloutState.ROLLING_BACK, RolloutState.SUPERSEDED}),
    RolloutState.FAILED: frozenset({RolloutState.ROLLING_BACK, RolloutState.SUPERSEDED}),
    RolloutState.ABORTED: frozenset({RolloutState.ROLLING_BACK, RolloutState.SUPERSEDED}),
    RolloutState.SUPERSEDED: frozenset(),
}


OPEN = (RolloutState.PENDING, RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.ROLLING_BACK)
"""States in which a rollout still has something to do."""


class DeviceProgress(enum.Enum):
    """Where one device stands in a rollout, recomputed from its own reports."""

    WAITING = "waiting"  # its wave has not begun, or the rate has not reached it
    NOTIFIED = "notified"  # its desired document names the deployment; no report on it yet
    INSTALLING = "installing"  # it reported the revision and works on it
    SOAKING = "soaking"  # it runs what is wanted, not yet for the rollout's soak time
    HEALTHY = "healthy"  # running digest equals desired digest, healthy for the soak time
    FAILED = "failed"  # it reported failure, runs something else after finishing, or fell back before the soak ended
    UNKNOWN = "unknown"  # told, and offline before it came to an end: neither success nor failure


class WaveSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One wave: up to this share or this number of the group's devices (counted from the first wave on), or the members
    of a named group. Exactly one of the three."""

    percent: float | None = None  # over 0, up to 100
    count: int | None = None  # 1 or more
    group: str | None = None
    name: str = ""


class RateOf(enum.Enum):
    """What an exponential rate counts before it grows."""

    NOTIFIED = "notified"
    SUCCEEDED = "succeeded"


class Rate(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How many devices are told within a minute: constant with `factor` 1; else times `factor` after every `every`
    devices that were told, or succeeded, up to `most`."""

    per_minute: float
    factor: float = 1.0
    every: int = 0
    of: RateOf = RateOf.NOTIFIED
    most: float | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A maintenance window in the device's own time zone: a device is told only inside one. Over midnight when `end` is
    not after `start`; the day is the one it starts on."""

    start: str  # HH:MM
    end: str
    days: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class GateKind(enum.Enum):
    """What a gate measures over the devices of the waves that have begun."""

    FAILED = "failed"  # share of the reported devices that failed to install or fell back
    CRASHED = "crashed"  # share of the reported devices whose components restarted since they were told
    LATENCY_P95 = "latency_p95"  # ms of inference, 95th percentile over their results
    NO_RESULTS = "no_results"  # share of the healthy devices that published no result since
    CONFIDENCE_SHIFT = "confidence_shift"  # population stability index of confidences against the baseline
    CLASS_MIX_SHIFT = "class_mix_shift"  # population stability index of classes against the baseline
    DISAGREEMENT = "disagreement"  # share of the sampled images on which the new and the previous model differ


class GateRule(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A gate: the value must not be over `limit`, which for a share is 0 to 1. Says nothing before `min_reported`
    devices of the wave (all of a smaller one; where results are measured, devices with results) have spoken, unless
    there are more failures than the limit lets through even if all others did well."""

    kind: GateKind
    limit: float
    min_reported: int = 1
    wave: int | None = None  # counted from 1; None: every wave


class OfflineAction(enum.Enum):
    """What to do when a wave's deadline has passed and devices are still unknown."""

    WAIT = "wait"
    PROCEED = "proceed"
    STOP = "stop"


class OfflinePolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Offline is unknown, never success. With PROCEED a wave is done once its deadline has passed and this share of its
    devices has reported (healthy or failed); with STOP the rollout is stopped then."""

    action: OfflineAction = OfflineAction.WAIT
    percent: float = 100.0


class RolloutPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How a rollout goes. The last wave always takes everybody who is left; devices that join later follow."""

    waves: tuple[WaveSpec, ...] = ()  # none: one canary, then everybody
    rate: Rate | None = None  # None: a wave is told at once
    start_at: str | None = None  # RFC 3339
    windows: tuple[Window, ...] = ()  # none: at any time
    time_zone: str = "UTC"  # of devices that do not say theirs (fact `time_zone`)
    gates: tuple[GateRule, ...] = ()  # beside the default gate on failures, which a rule on `failed` replaces
    offline: OfflinePolicy = msgspec.field(default_factory=OfflinePolicy)
    soak_seconds: float = 0.0  # how long a device must stay healthy in the server's eyes before it counts
    deadline_seconds: float | None = None  # of a wave, from when its last device was told; None: no deadline
    install_seconds: float | None = None  # a device that is online and not done after this has failed; None: never


class RolloutDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One device of a rollout."""

    device: str
    wave: int
    progress: DeviceProgress
    told_at: str | None = None
    error: ErrorReport | None = None
    back: bool | None = None  # None: not sent back; then whether it has settled there


class RolloutDevicePage(msgspec.Struct, frozen=True, kw_only=True):
    """Devices of a rollout, by wave and name; `next` continues."""

    devices: tuple[RolloutDevice, ...]
    total: int
    next: str | None = None


class WaveCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How the devices of one wave stand."""

    wave: int
    name: str
    devices: int
    by: dict[str, int]  # DeviceProgress value ► devices; those with none are left out
    crashed: int = 0  # devices whose components restarted since they were told
    sent_back: int = 0
    back: int = 0  # sent back, and settled there
    told_at: str | None = None  # when the last of them was told
    opened_at: str | None = None
    done_at: str | None = None


class GateCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A gate with its numbers."""

    name: str
    value: float
    limit: float
    reported: int  # devices that had said something
    passed: bool | None  # None: not enough reports yet
    kind: GateKind = GateKind.FAILED
    wave: int = 0
    needed: int = 1  # devices that must have reported
    unit: str = ""  # "%", "ms", "PSI"


class RolloutFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that went wrong on devices of a rollout; `error` is None where they did not say what."""

    devices: int
    device: str  # the first of them by name; the error's next step names it
    error: ErrorReport | None = None


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout as it is shown. `wave` is the wave under way, counted from 0, of `waves`."""

    id: str
    deployment: str
    group: str
    state: RolloutState
    wave: int
    waves: int
    counts: tuple[WaveCounts, ...] = ()
    gates: tuple[GateCheck, ...] = ()
    history: tuple[Moved, ...] = ()
    created_at: str
    finished_at: str | None = None
    plan: RolloutPlan = msgspec.field(default_factory=RolloutPlan)
    note: str = ""  # what it waits for now, or why it failed or was aborted, in words
    failures: tuple[RolloutFailure, ...] = ()  # the most frequent first; only where one rollout is asked for


class RolloutPage(msgspec.Struct, frozen=True, kw_only=True):
    """Rollouts, newest first, without their history. `next` is what `before` of the page after this one has to be."""

    rollouts: tuple[Rollout, ...]
    total: int  # of all pages
    next: str | None = None
