"""Reports: what a device says it runs. Sequenced, idempotent; the newest sequence number wins."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from lineside.contract.errors import ErrorReport

REPORT_SCHEMA = "lineside.report/1"


class Phase(enum.Enum):
    """What the agent is doing about its desired revision."""

    IDLE = "idle"  # wants nothing, runs nothing
    FETCHING = "fetching"
    INSTALLING = "installing"
    STARTING = "starting"  # started, not ready for the soak time yet
    HEALTHY = "healthy"  # every component ready at the wanted digests for the soak time
    ROLLED_BACK = "rolled_back"  # could not; runs exactly what ran before
    FAILED = "failed"  # could not, and nothing ran before (or the policy is DO_NOTHING)
    REFUSED = "refused"  # the document, metadata or an artifact was not believed; nothing was touched


class ComponentState(enum.Enum):
    """Greengrass V2 component states."""

    NEW = "NEW"
    INSTALLED = "INSTALLED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    FINISHED = "FINISHED"
    ERRORED = "ERRORED"
    BROKEN = "BROKEN"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a component, or the agent itself, uses: percent of one core and resident bytes. `peak_bytes` is the sum of
    the most that each of its living processes ever had resident; 0 where the kernel does not say."""

    cpu_percent: float
    memory_bytes: int
    processes: int = 1
    peak_bytes: int = 0


class ReportedComponent(msgspec.Struct, frozen=True, kw_only=True):
    """A component as it runs. `artifacts` maps file name to the digest found on disk at activation."""

    name: str
    version: str
    recipe_digest: str
    state: ComponentState
    artifacts: dict[str, str] = {}
    probe: dict[str, Any] = {}  # last line of the component's probe, e.g. {"golden": "matched", "model_digest": …}
    restarts: int = 0
    error: ErrorReport | None = None
    usage: Usage | None = None
    limits: str = ""  # how its limits are held: "cgroup v2", "cgroup v1", "rlimits", or nothing when there are none


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One report. `revision` is the desired revision it speaks about, `running` what really runs now."""

    schema: str = REPORT_SCHEMA
    device: str
    sequence: int
    at: str  # the device's clock, RFC 3339
    revision: int
    phase: Phase
    running: tuple[ReportedComponent, ...] = ()
    error: ErrorReport | None = None
    conditions: tuple[ErrorReport, ...] = ()  # what is wrong with the device itself now: clock, disk, link
    facts: dict[str, Any] = {}


class ReportsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Reports from a device's outbox, oldest first, at most 100."""

    reports: tuple[Report, ...]


class ReportsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything up to and including `accepted` is stored and need not be sent again."""

    accepted: int
