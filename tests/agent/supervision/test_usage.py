"""What components use, and that reports carry it."""

from __future__ import annotations

import os
import sys

from lineside.agent.supervision.usage import Meter
from tests.agent.supervision.stage import SLEEPER, Stage

BUSY = f"exec {sys.executable} -c 'x = bytearray(64 << 20)\nwhile True: pass'"


def test_cpu_memory_and_processes_by_component(stage: Stage) -> None:
    stage.ready("busy", run=BUSY)
    stage.ready("idle", run=f"sleep 1000 & {SLEEPER}")
    stage.wait(lambda: stage.supervisor.usage()["busy"].memory_bytes > 64 << 20)
    stage.wait(lambda: stage.supervisor.usage()["idle"].processes == 2)
    stage.wait(lambda: stage.supervisor.usage()["busy"].cpu_percent > 5.0)
    found = stage.supervisor.usage()
    assert found["idle"].memory_bytes > 0
    assert found["busy"].processes == 1
    assert found[""].processes == 1
    assert found[""].memory_bytes > 1 << 20


def test_reports_have_usage_when_it_is_given_and_are_equal_without(stage: Stage) -> None:
    stage.ready("busy", run=BUSY)
    assert stage.supervisor.report() == stage.supervisor.report()
    usage = stage.supervisor.usage()
    (reported,) = stage.supervisor.report(usage)
    assert reported.usage == usage["busy"]
    assert stage.supervisor.report()[0].usage is None


def test_cpu_is_that_since_the_last_look() -> None:
    meter = Meter()
    first = meter.look({"me": [os.getpid()]})["me"]
    assert first.cpu_percent >= 0.0
    began = os.times()
    while sum(os.times()[:2]) - sum(began[:2]) < 0.2:
        pass
    assert meter.look({"me": [os.getpid()]})["me"].cpu_percent > 5.0


def test_processes_that_are_gone_use_nothing() -> None:
    found = Meter().look({"gone": [2**22 + 1]})["gone"]
    assert (found.cpu_percent, found.memory_bytes, found.processes) == (0.0, 0, 0)
