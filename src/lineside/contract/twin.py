"""Twins: simulated devices with the memory and the processor of a real one, on which a release must pass its test.

    preparing ─► installing ─► soaking ─► measuring ─► rolling_back ─► reinstalling ─► passed      any of them ─► failed

A component may carry tests of its own: in its recipe, below `ComponentConfiguration.DefaultConfiguration`,

    "lineside.tests": {"NAME": {"Script": "…", "Timeout": 60}}

run by the agent of a twin, and of no other device, as the component's own user in its own folder. Exit status 0 passes.
The last line it prints may be a JSON object; `{"latency_ms": {"p50": 12.5, "p95": 20.1}}` is held against the profile.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.moves import Moved
from lineside.contract.reading import UNREADABLE
from lineside.contract.reported import ReportedComponent

TWINS = "twins"
"""The group of simulated devices; they, and only they, install what is not approved yet."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a twin may use, and what a release may need there. A profile of one's own is a JSON file of these keys."""

    name: str
    memory_mib: int  # of the agent with all of its components
    cpus: float  # cores of this machine's, of the same
    latency_p95_ms: float  # one image, from bytes to detections
    peak_memory_mib: int  # of one component
    words: str = ""


_TABLE = (
    Profile(
        name="raspberry-pi-4",
        memory_mib=4096,
        cpus=1.0,
        latency_p95_ms=1000.0,
        peak_memory_mib=1024,
        words="four slow cores, which come to about one core of a PC; 4 GiB",
    ),
    Profile(
        name="jetson-orin-nano",
        memory_mib=8192,
        cpus=2.0,
        latency_p95_ms=500.0,
        peak_memory_mib=4096,
        words="six cores, which come to about two of a PC; 8 GiB; its GPU is not simulated",
    ),
    Profile(
        name="generic-x86",
        memory_mib=8192,
        cpus=4.0,
        latency_p95_ms=500.0,
        peak_memory_mib=4096,
        words="four cores of a PC; 8 GiB",
    ),
)

PROFILES: dict[str, Profile] = {profile.name: profile for profile in _TABLE}
"""The profiles that come with Lineside, by name. CPU is scaled by rule of thumb: it finds what is far too slow."""

FACTS = ("profile", "limits", "profile_values")
"""What a twin says beside the facts of any device: its profile's name, how its limits are held, its profile."""

PROFILE_FILE = "twin.json"
"""Below an agent's root: the profile it runs under."""

HELD_FILE = "twin-held.json"
"""Below an agent's root: how the limits are held, and the directories of the cgroup tree that were made for it."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """How a twin's limits are held: `words` for people, `directories` to be removed when its agent has ended."""

    words: str
    directories: tuple[str, ...] = ()


def read_profile(data: bytes, where: object) -> Profile:
    """A profile from JSON. Raises `twin.profile_invalid`."""
    try:
        profile = msgspec.json.decode(data, type=Profile)
    except UNREADABLE as error:
        raise LinesideError("twin.profile_invalid", where=where, why=error) from error
    numbers = (profile.memory_mib, profile.cpus, profile.latency_p95_ms, profile.peak_memory_mib)
    if not is_name(profile.name):
        raise LinesideError("twin.profile_invalid", where=where, why=f"{profile.name[:80]!r} is no name")
    if not all(math.isfinite(one) and 0 < one < 1 << 31 for one in numbers):
        raise LinesideError("twin.profile_invalid", where=where, why="every number must be over 0")
    return profile


def facts_in_words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A device's facts as they are shown: in a twin's, the numbers of its profile are one sentence beside its name."""
    shown = dict(facts)
    try:
        profile = msgspec.convert(shown.get("profile_values"), Profile)
    except msgspec.ValidationError:
        return shown
    del shown["profile_values"]
    cores = f"{profile.cpus:g} {'core' if profile.cpus == 1 else 'cores'}"
    needs = f"{profile.latency_p95_ms:g} ms an image (p95) and {profile.peak_memory_mib} MiB a component"
    shown["profile"] = f"{profile.name}: {cores}, {profile.memory_mib} MiB; a release may need {needs}"
    return shown


# --- a component's own tests ------------------------------------------------------------------------------------------

TESTS_KEY = "lineside.tests"
MOST_TESTS = 20
"""Tests that one component may carry."""
MOST_OUTPUT = 48 << 10
"""Bytes of a test's output that are kept: the last."""
MOST_SECONDS = 600.0
"""The longest time-out of a test."""
_TEST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class TestSpec(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One test as a recipe declares it: a shell script with variables, as in a lifecycle step."""

    __test__ = False  # pytest: not a test

    script: str
    timeout: float = 60.0


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one test on a twin. `code` is None when it was not started, or was ended for its time-out."""

    __test__ = False

    component: str
    name: str
    code: int | None
    seconds: float
    output: str = ""  # the last `MOST_OUTPUT` bytes of what it printed, on either stream
    why: str = ""  # it has no exit status


def tests_of(configuration: Mapping[str, Any]) -> dict[str, TestSpec]:
    """The tests that a component's configuration declares, by name. Raises `twin.tests_invalid`."""
    declared = configuration.get(TESTS_KEY)
    if declared is None:
        return {}
    try:
        found = msgspec.convert(declared, dict[str, TestSpec])
    except msgspec.ValidationError as error:
        raise LinesideError("twin.tests_invalid", why=error) from error
    if len(found) > MOST_TESTS:
        raise LinesideError("twin.tests_invalid", why=f"there are {len(found)} of them, more than {MOST_TESTS}")
    for name, spec in found.items():
        if _TEST_NAME.fullmatch(name) is None:
            raise LinesideError("twin.tests_invalid", why=f"{name[:80]!r} is no name")
        if not 0 < spec.timeout <= MOST_SECONDS:
            raise LinesideError("twin.tests_invalid", why=f"{name} has a time-out of {spec.timeout:g} s")
    return found


class TwinAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a twin says when it is asked to measure, after its tests: what runs, what it used at most, which facts."""

    running: tuple[ReportedComponent, ...]
    facts: dict[str, Any] = {}


# --- the test of a release --------------------------------------------------------------------------------------------


class TwinState(enum.Enum):
    """Where the twin test of a model stands."""

    PREPARING = "preparing"  # the twins go to what the fleet may run now: the approved version before, or nothing
    INSTALLING = "installing"  # they update to the candidate, which reproduces its golden inputs
    SOAKING = "soaking"  # it has to run without a crash
    MEASURING = "measuring"  # memory, latency and the components' own tests
    ROLLING_BACK = "rolling_back"  # they go back to what ran before
    REINSTALLING = "reinstalling"  # and to the candidate again
    PASSED = "passed"  # a person may be asked
    FAILED = "failed"  # one stage did not hold; the history says which number


TWIN_MOVES: dict[TwinState, frozenset[TwinState]] = {
    TwinState.PREPARING: frozenset({TwinState.INSTALLING, TwinState.FAILED}),
    TwinState.INSTALLING: frozenset({TwinState.SOAKING, TwinState.FAILED}),
    TwinState.SOAKING: frozenset({TwinState.MEASURING, TwinState.FAILED}),
    TwinState.MEASURING: frozenset({TwinState.ROLLING_BACK, TwinState.FAILED}),
    TwinState.ROLLING_BACK: frozenset({TwinState.REINSTALLING, TwinState.FAILED}),
    TwinState.REINSTALLING: frozenset({TwinState.PASSED, TwinState.FAILED}),
    TwinState.PASSED: frozenset(),
    TwinState.FAILED: frozenset(),
}

ENDED = frozenset({TwinState.PASSED, TwinState.FAILED})


class TwinCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One number of one twin against its limit, which must not be passed; without a limit it is only told."""

    name: str
    value: float
    limit: float | None = None
    unit: str = ""
    passed: bool = True
    note: str = ""


class TwinTestRun(msgspec.Struct, frozen=True, kw_only=True):
    """A component's own test, as it ran on a twin; `output` is the digest of what it printed."""

    component: str
    name: str
    passed: bool
    code: int | None
    seconds: float
    output: str
    why: str = ""


class StageResult(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that is over: how long it took, and what came of it."""

    stage: TwinState
    seconds: float
    passed: bool
    why: str
    rollout: str = ""


class TwinTest(msgspec.Struct, frozen=True, kw_only=True):
    """The twin test of a model version."""

    id: str
    model: str  # name:version
    state: TwinState
    twins: tuple[str, ...]
    rollout: str  # of the stage under way, else of the last one
    stages: tuple[StageResult, ...] = ()
    history: tuple[Moved, ...] = ()
    created_at: str
    finished_at: str | None = None
    report: str | None = None  # digest of a `TwinReport` blob
