"""Asking a component whether it is ready: `Lifecycle.Probe`, Lineside's one extension of the recipe format.

Exit 0 is ready, 2 is never, anything else is not yet. The last line it prints may be a JSON object for the report; one
that says `"golden": "mismatched"` is a failure at once, whatever the exit status.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.processes import StopSignal
from lineside.agent.supervision.scripts import run_step
from lineside.contract.errors import LinesideError


class Readiness(enum.Enum):
    """What a probe found."""

    READY = "ready"
    NOT_YET = "not yet"
    NEVER = "never"


class Answer(msgspec.Struct, frozen=True):
    """A probe's answer, and what it said beside it."""

    readiness: Readiness
    said: dict[str, Any] = {}
    error: LinesideError | None = None


def ask(launch: Launch, stop: StopSignal, timeout: float) -> Answer:
    """Run the probe once, for at most `timeout` seconds; a component without one is ready."""
    if "probe" not in launch.lifecycle:
        return Answer(Readiness.READY)
    finished = run_step(launch, "probe", stop, timeout)
    return judge(launch, finished.code, finished.output)


def judge(launch: Launch, code: int | None, line: str) -> Answer:
    """What an exit status (None: it hung) and a last line mean."""
    said = _object(line)
    if said.get("golden") == "mismatched":
        error = LinesideError("component.golden_mismatch", name=launch.name, log=launch.log)
        return Answer(Readiness.NEVER, said, error)
    if code == 2:
        return Answer(Readiness.NEVER, said, _failed(launch, _why(said, line)))
    return Answer(Readiness.READY if code == 0 else Readiness.NOT_YET, said)


def _why(said: dict[str, Any], line: str) -> object:
    error = said.get("error")
    if isinstance(error, dict):
        error = error.get("message")
    return error or line.strip() or "no reason given"


def _failed(launch: Launch, why: object) -> LinesideError:
    return LinesideError("component.probe_failed", name=launch.name, why=why, log=launch.log)


def _object(line: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}
