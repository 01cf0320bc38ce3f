"""The tests that components carry, run on a twin: one after the other, in a thread, so that whoever asks never waits.

Each runs as its component does (its user, its folder, its environment), beside it and in surroundings of its own: what
ends a test does not end the component.
"""

from __future__ import annotations

import threading
import time

import msgspec

from lineside.agent.facts import device_facts
from lineside.agent.paths import Paths
from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.logs.files import Tail
from lineside.agent.supervision.processes import COMPONENT_MARKER, Ended, StopSignal
from lineside.agent.supervision.scripts import GRACE
from lineside.agent.supervision.supervise import Supervisor
from lineside.agent.supervision.walls.surroundings import Surroundings
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.recipe import StepScript
from lineside.contract.twin import MOST_OUTPUT, TestResult, TestSpec, TwinAnswer


def start_trials(paths: Paths, supervisor: Supervisor) -> RunningTrials:
    """Begin with the tests of all that runs."""
    return RunningTrials(paths, supervisor)


class RunningTrials:
    """See `link.inquiries.Trials`."""

    def __init__(self, paths: Paths, supervisor: Supervisor) -> None:
        self._paths, self._supervisor = paths, supervisor
        self._stop, self._made = StopSignal(), list[TestResult]()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="tests", daemon=True)
        self._thread.start()

    def take(self) -> TestResult | None:
        """See `Trials.take`."""
        if self._made:
            return self._made.pop(0)
        if self._error is not None:
            raise self._error
        return None

    @property
    def over(self) -> bool:
        """See `Trials.over`."""
        return not self._thread.is_alive() and not self._made and self._error is None

    def measured(self) -> TwinAnswer:
        """See `Trials.measured`."""
        running = self._supervisor.report(self._supervisor.usage())
        return TwinAnswer(running=running, facts=device_facts(self._paths.root))

    def close(self) -> None:
        """See `Trials.close`."""
        self._stop.set()
        self._thread.join(2 * GRACE)

    def _work(self) -> None:
        try:
            for launch in self._supervisor.launched():
                self._all_of(launch)
        except Exception as error:  # noqa: BLE001 whoever asks is told
            self._error = error

    def _all_of(self, launch: Launch) -> None:
        if launch.tests_wrong:
            why = launch.tests_wrong
            self._made.append(TestResult(component=launch.name, name="declaration", code=None, seconds=0.0, why=why))
        for name, spec in sorted(launch.tests.items()):
            if not self._stop.is_set():
                self._made.append(self._one(launch, name, spec))

    def _one(self, launch: Launch, name: str, spec: TestSpec) -> TestResult:
        environment = launch.environment | {COMPONENT_MARKER: f"{launch.name}#{name}"}
        log = self._paths.log(f"{launch.name}.tests")
        surroundings = Surroundings(msgspec.structs.replace(launch, environment=environment, log=log), None)
        began, heard, code, why = time.monotonic(), Tail(), None, ""
        try:
            surroundings.prepare()
            child = surroundings.spawn(StepScript(script=f"exec 2>&1\n{spec.script}", timeout=spec.timeout), heard)
            if child.wait(spec.timeout, self._stop) is Ended.EXITED:
                code = child.code
            else:
                child.end(GRACE)
                why = f"it was ended after {spec.timeout:g} s"
        except (LinesideError, OSError) as error:
            why = error.message if isinstance(error, LinesideError) else str(error)
        finally:
            surroundings.close(GRACE)
            output = heard.text().encode()[-MOST_OUTPUT:].decode(errors="ignore")
            heard.close()
        seconds = round(time.monotonic() - began, 3)
        return TestResult(component=launch.name, name=name, code=code, seconds=seconds, output=output, why=why)
