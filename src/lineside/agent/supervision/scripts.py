"""Running one lifecycle step to its end."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import msgspec

from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.logs.files import Tail
from lineside.agent.supervision.processes import Ended, Interrupt
from lineside.agent.supervision.walls.surroundings import Surroundings
from lineside.contract.recipes.lifecycle import SKIP_IF
from lineside.contract.recipes.recipe import StepScript

_HEARD = ("probe", "goldeninputs")
"""Steps whose last line is an answer; it is not in the log."""
GRACE = 5.0
"""Seconds a process has between SIGTERM and SIGKILL."""


class Finished(msgspec.Struct, frozen=True):
    """How a step ended: `code` is its exit status (negative: a signal), None when it was stopped or timed out."""

    ended: Ended
    code: int | None
    output: str = ""

    @property
    def ok(self) -> bool:
        """Whether it exited with 0."""
        return self.code == 0

    @property
    def why(self) -> str:
        """The failure in a few words."""
        return self.ended.value if self.code is None else how(self.code)


def how(code: int) -> str:
    """An exit status in words."""
    return f"exit status {code}" if code >= 0 else f"signal {-code}"


def run_once(launch: Launch, key: str, stop: Interrupt, timeout: float | None = None) -> Finished:
    """Run one step of a component that no service looks after (Bootstrap, Uninstall) within its time-out.

    What it leaves running is ended. Raises the errors of `runWith` and of the sandbox.
    """
    surroundings = Surroundings(launch, None)
    try:
        surroundings.prepare()
        return run_step(surroundings, key, stop, timeout)
    finally:
        surroundings.close(GRACE)


def run_step(
    surroundings: Surroundings,
    key: str,
    stop: Interrupt,
    timeout: float | None = None,
    variables: Mapping[str, str] | None = None,
) -> Finished:
    """Run a lifecycle step of a component within its time-out, with some more `variables`; a step that is absent or
    skipped has succeeded."""
    step = surroundings.launch.lifecycle.get(key)
    if step is None or skipped(step, surroundings.launch):
        return Finished(Ended.EXITED, 0)
    limit = timeout if timeout is not None else step.timeout or None
    if variables:
        step = msgspec.structs.replace(step, setenv={**step.setenv, **variables})
    if key not in _HEARD:
        return _finish(surroundings, step, stop, limit, None)
    heard = Tail()
    try:
        return _finish(surroundings, step, stop, limit, heard)
    finally:
        heard.close()


def _finish(
    surroundings: Surroundings, step: StepScript, stop: Interrupt, limit: float | None, heard: Tail | None
) -> Finished:
    child = surroundings.spawn(step, heard)
    ended = child.wait(limit, stop)
    if ended is not Ended.EXITED:
        child.end(GRACE if heard is None else 0.5)
    surroundings.drain()
    code = child.code if ended is Ended.EXITED else None
    return Finished(ended, code, "" if heard is None or code is None else heard.last_line())


def skipped(step: StepScript, launch: Launch) -> bool:
    """Whether its `Skipif` holds: `exists PATH` or `onpath PROGRAM`."""
    found = SKIP_IF.fullmatch((step.skipif or "").strip())
    if found is None:
        return False
    condition, subject = found.groups()
    if condition == "exists":
        return (launch.directory / subject).exists()
    path = (launch.environment | step.setenv).get("PATH")
    return shutil.which(subject, path=path) is not None
