"""The runtime's word on itself: `status.json` in its work folder, which the probe reads.

Imports neither numpy nor onnxruntime: a probe runs every few seconds and must be cheap.
"""

from __future__ import annotations

import enum
import os
from pathlib import Path

import msgspec

from lineside.contract.alarm import Alarm
from lineside.contract.errors import ErrorReport
from lineside.contract.reading import UNREADABLE
from lineside.contract.shadow import ShadowStatus
from lineside.runtime.accounting import Counts
from lineside.runtime.announce import announce
from lineside.runtime.captures.counts import CaptureStatus
from lineside.runtime.files import write_atomic
from lineside.runtime.frames import SourceHealth
from lineside.runtime.models.swap_status import SwapStatus

STATUS_FILE = "status.json"


class RuntimeState(enum.Enum):
    """Where the runtime stands."""

    LOADING = "loading"  # reads the model, reproduces the golden set
    READY = "ready"  # decides on images
    FAILED = "failed"  # cannot run this model; a restart would not help


class GoldenState(enum.Enum):
    """What became of the golden set."""

    ABSENT = "absent"  # the model brings none, or it was not looked at yet
    MATCHED = "matched"
    MISMATCHED = "mismatched"


class SourceStatus(msgspec.Struct, kw_only=True):
    """A source: how it is, and what became of its frames."""

    kind: str = ""
    model: str = ""  # the name of the model that decides for it
    health: SourceHealth = SourceHealth()
    counts: Counts = msgspec.field(default_factory=Counts)


class SinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A sink since the start."""

    delivered: int = 0  # results that arrived
    missed: int = 0  # passed over because it was away; never of a durable one
    refused: int = 0  # set aside because its other side will never take them, as one that is too large
    refusal: str = ""  # the last of them, and what the other side said
    failures: int = 0
    trouble: str = ""  # what is wrong now
    since: str = ""  # RFC 3339: since when
    error: ErrorReport | None = None  # of what is wrong now, where it has a code of its own


class Status(msgspec.Struct, kw_only=True):
    """Counts are of this process, and of all sources: `seen` = `decided` + `skipped` + `failed` + `waiting`."""

    state: RuntimeState = RuntimeState.LOADING
    golden: GoldenState = GoldenState.ABSENT
    model_digest: str = ""
    model: str = ""
    version: int = 0
    pid: int = 0
    pid_born: int = 0  # start of the process in clock ticks after boot: tells a process from a later one of its number
    started_at: str = ""
    seen: int = 0
    decided: int = 0
    skipped: int = 0
    failed: int = 0
    waiting: int = 0  # in a queue, or being decided
    late: int = 0  # of the decided ones
    published: int = 0
    dropped: int = 0  # results lost because the spool was full
    captured: int = 0
    captures: CaptureStatus | None = None
    sources: dict[str, SourceStatus] = {}
    sinks: dict[str, SinkStatus] = {}
    shadow: ShadowStatus | None = None
    swaps: dict[str, SwapStatus] = {}  # of models whose components are followed, by component
    api: ErrorReport | None = None  # why the local API that is configured is not there
    alarms: tuple[Alarm, ...] = ()
    error: ErrorReport | None = None


def sum_up(status: Status) -> None:
    """Brings the counts to what the sources say."""
    counts = [one.counts for one in status.sources.values()]
    for name in ("seen", "decided", "failed", "waiting", "late"):
        setattr(status, name, sum(getattr(one, name) for one in counts))
    status.skipped = sum(one.skips for one in counts)


def process_born(pid: int) -> int:
    """When a process started, in clock ticks after boot; 0 where /proc does not say (proc_pid_stat(5), field 22)."""
    return _born(_stat(pid))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: state, parent, …; none where /proc does not say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _born(fields: list[str]) -> int:
    return int(fields[19]) if fields else 0


class StatusFile:
    """The status file of a running process. A disk that is full or fails is announced once and stops nothing."""

    def __init__(self, work: Path) -> None:
        self._work, self._written, self._fails = work, b"", False

    def write(self, status: Status) -> None:
        """Writes what has changed since the last write that worked."""
        now = msgspec.json.encode(status)
        if now == self._written:
            return
        try:
            write_atomic(self._work / STATUS_FILE, now)
        except OSError as error:
            if not self._fails:
                announce("disk.failed", why=str(error))
            self._fails = True
        else:
            self._written, self._fails = now, False


def read_status(work: Path) -> Status | None:
    """The status, or None when there is none that can be read."""
    try:
        return msgspec.json.decode((work / STATUS_FILE).read_bytes(), type=Status)
    except (OSError, *UNREADABLE):
        return None


def is_alive(status: Status) -> bool:
    """Whether the process that wrote this status still runs; one that was killed, and that nobody has waited for yet,
    does not."""
    if status.pid <= 0:
        return False
    fields = _stat(status.pid)
    if fields:
        return fields[0] not in ("Z", "X") and status.pid_born in (0, _born(fields))
    try:
        os.kill(status.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
