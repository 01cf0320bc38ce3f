"""A component's own tests on a twin: real scripts, their output, their ends."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from lineside.agent.paths import Paths
from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.processes import marked
from lineside.agent.trials import RunningTrials
from lineside.agent.updating.installed import Component
from lineside.contract.twin import MOST_OUTPUT, TestResult, TestSpec
from tests.agent.supervision.stage import Stage
from tests.eventually import eventually


@pytest.fixture
def stage(tmp_path: Path):
    made = Stage(tmp_path)
    yield made
    made.close()


def begin(stage: Stage, launch: Launch) -> None:
    component = Component(name=launch.name, version="1.0.0", target="recipes/app", recipe_digest="sha256:0")
    stage.supervisor.start(component, "app-1", {}, launch)


def run(stage: Stage, **tests: TestSpec) -> dict[str, TestResult]:
    launch = msgspec.structs.replace(stage.launch(), tests=tests)
    begin(stage, launch)
    trials = RunningTrials(Paths(stage.root), stage.supervisor)
    found: dict[str, TestResult] = {}
    try:
        while not trials.over:
            result = trials.take()
            if result is not None:
                found[result.name] = result
        return found
    finally:
        trials.close()


def test_a_test_passes_or_fails_by_its_exit_status_and_its_output_is_kept(stage: Stage) -> None:
    found = run(
        stage,
        good=TestSpec(script="echo out; echo err >&2; pwd"),
        bad=TestSpec(script="echo no; exit 3"),
    )
    assert (found["good"].code, found["bad"].code) == (0, 3)
    assert found["good"].output.splitlines() == ["out", "err", str(stage.root / "work" / "app")]
    assert found["bad"].output == "no\n"


def test_of_long_output_the_last_part_is_kept(stage: Stage) -> None:
    found = run(stage, long=TestSpec(script=f"{sys.executable} -c \"print('x' * 300_000 + 'end')\""))
    assert found["long"].output.endswith("xend\n")
    assert len(found["long"].output.encode()) == MOST_OUTPUT


def test_a_test_that_hangs_is_ended_with_all_it_started_and_the_component_goes_on(stage: Stage) -> None:
    found = run(stage, hangs=TestSpec(script="sleep 1000 & sleep 1000", timeout=0.3))
    assert (found["hangs"].code, found["hangs"].why) == (None, "it was ended after 0.3 s")
    assert marked(str(stage.root), "app#hangs") == []
    assert len(marked(str(stage.root), "app")) == 1


def test_what_was_measured_says_the_most_memory_that_was_ever_used(stage: Stage) -> None:
    script = f"exec {sys.executable} -c \"x = b'x' * 60_000_000; del x; print(1); import time; time.sleep(1000)\""
    begin(stage, stage.launch(run=script))
    trials = RunningTrials(Paths(stage.root), stage.supervisor)

    def peak() -> bool:
        (one,) = trials.measured().running
        return one.usage is not None and one.usage.peak_bytes > 60_000_000

    eventually(peak)
    trials.close()
