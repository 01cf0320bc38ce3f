"""Asking a component whether it is ready: `Lifecycle.Probe`, and `GoldenInputs` once it is.

    a command   exit 0 is ready, 2 is never, anything else is not yet. The last line it prints may be a JSON object for
                the report; one that says `"golden": "mismatched"` is a failure at once, whatever the exit status
    `Http`      GET of an address on this device (http://localhost:PORT/PATH, 127.0.0.0/8 or [::1]): 2xx is ready, 410
                (Gone) is never, and everything else is not yet: no answer, 5xx, and also 404, which a server gives that
                listens before all its pages are there. A JSON object in the body goes into the report as above

A component without a probe is ready when its process lives; the soak time tells whether it stays so. A ready component
is probed again every minute: one that stays silent for its probe's time-out has failed.
"""

from __future__ import annotations

import enum
import time
from typing import Any

import msgspec

from lineside.agent.supervision.http_probe import Reply, fetch
from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.processes import Interrupt
from lineside.agent.supervision.scripts import run_step
from lineside.agent.supervision.walls.surroundings import Surroundings
from lineside.contract.configuration import SETTLING_VARIABLE
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.contract.recipes.recipe import DEFAULT_TIMEOUTS


class Readiness(enum.Enum):
    """What a probe found."""

    READY = "ready"
    NOT_YET = "not yet"
    NEVER = "never"


class Answer(msgspec.Struct, frozen=True):
    """A probe's answer, what it said beside it, and in a few words what came instead of a yes."""

    readiness: Readiness
    said: dict[str, Any] = {}
    error: LinesideError | None = None
    why: str = ""


def patience(launch: Launch, key: str = "probe") -> float:
    """Seconds a component has to become ready."""
    step = launch.lifecycle.get(key)
    return step.timeout if step is not None and step.timeout else DEFAULT_TIMEOUTS[key]


def ask(surroundings: Surroundings, stop: Interrupt, timeout: float, *, settling: bool = False) -> Answer:
    """Probe once, for at most `timeout` seconds; a component without a probe is ready. `settling`: a command is told
    that it should wait for what the component follows."""
    launch = surroundings.launch
    step = launch.lifecycle.get("probe")
    if step is None:
        return Answer(Readiness.READY)
    if step.http is not None:
        return _judge_reply(launch, fetch(launch.name, step.http, stop, time.monotonic() + timeout))
    finished = run_step(surroundings, "probe", stop, timeout, {SETTLING_VARIABLE: "1"} if settling else None)
    return judge(launch, finished.code, finished.output)


def judge(launch: Launch, code: int | None, line: str) -> Answer:
    """What an exit status (None: it hung) and a last line mean."""
    said = _object(line)
    mismatch = _mismatch(launch, said)
    if mismatch is not None:
        return Answer(Readiness.NEVER, said, mismatch)
    if code == 2:
        return Answer(Readiness.NEVER, said, _failed(launch, _why(said, line)))
    if code == 0:
        return Answer(Readiness.READY, said)
    return Answer(Readiness.NOT_YET, said, why="no answer" if code is None else f"exit status {code}")


def _judge_reply(launch: Launch, reply: Reply) -> Answer:
    said = _object(reply.body)
    mismatch = _mismatch(launch, said)
    if mismatch is not None:
        return Answer(Readiness.NEVER, said, mismatch)
    if reply.status == 410:
        return Answer(Readiness.NEVER, said, _failed(launch, _why(said, "410 Gone")))
    if 200 <= reply.status < 300:
        return Answer(Readiness.READY, said)
    return Answer(Readiness.NOT_YET, said, why=reply.why or f"HTTP status {reply.status}")


def check_golden(surroundings: Surroundings, stop: Interrupt) -> dict[str, Any]:
    """Run `GoldenInputs`; what it said. Raises `component.golden_mismatch` (not when it was broken off)."""
    launch = surroundings.launch
    if "goldeninputs" not in launch.lifecycle:
        return {}
    finished = run_step(surroundings, "goldeninputs", stop, patience(launch, "goldeninputs"))
    said = _object(finished.output)
    if finished.code is None and stop.is_set():
        return {}
    if not finished.ok or _mismatch(launch, said):
        raise LinesideError("component.golden_mismatch", name=launch.name, log=launch.log)
    return {"golden": "matched"} | said


def _mismatch(launch: Launch, said: dict[str, Any]) -> LinesideError | None:
    if said.get("golden") != "mismatched":
        return None
    return LinesideError("component.golden_mismatch", name=launch.name, log=launch.log)


def _why(said: dict[str, Any], line: str) -> object:
    error = said.get("error")
    if isinstance(error, dict):
        error = error.get("message")
    return error or line.strip() or "no reason given"


def _failed(launch: Launch, why: object) -> LinesideError:
    return LinesideError("component.probe_failed", name=launch.name, why=why, log=launch.log)


def _object(line: str | bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(line)
    except UNREADABLE:
        return {}
    return value if isinstance(value, dict) else {}
