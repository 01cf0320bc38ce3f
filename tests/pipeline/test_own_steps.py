"""People's own steps: commands and functions in folders of their own, done by a real worker that was told it may."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.own_step import OwnStep
from lineside.contract.run import Run, RunRequest, RunState, Step, StepState
from lineside.contract.worker import Held
from lineside.pipeline.command import Command, run_command
from lineside.pipeline.control import PatientControl
from lineside.pipeline.entry import Entry, Job, folder_of
from lineside.pipeline.said import StepLog
from lineside.pipeline.sessions import MARK, kill_marked, mark_of
from lineside.pipeline.testing import MemoryControl
from lineside.pipeline.worker import Offer
from lineside.pipeline.workflow import Steps
from tests.eventually import PATIENCE, eventually
from tests.pipeline.conftest import Workplace, descendants, states

COUNT = """
import os, pathlib, sys
words = pathlib.Path(sys.argv[1]).read_text().split()
print("counting", len(words), "words")
pathlib.Path(sys.argv[2]).write_text(str(len(words) * int(sys.argv[3])))
pathlib.Path(os.environ["LINESIDE_OUTPUT_ALL"]).mkdir()
(pathlib.Path(os.environ["LINESIDE_OUTPUT_ALL"]) / "environment").write_text(repr(sorted(os.environ)))
"""
DOUBLE = """
from helper import twice
def double(inputs, outputs, parameters):
    number = int(open(inputs["number"]).read())
    outputs["number"].write_text(str(twice(number) + parameters["more"]))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A place whose worker does commands; a token that they may not see is in its environment."""
    place = Workplace(tmp_path_factory.mktemp("own"))
    place.start_worker("--commands", "--slots", "2", LINESIDE_TOKEN="secret-token")
    yield place
    place.close()


def count(place: Workplace, text: bytes = b"one two three", **fields: object) -> OwnStep:
    code, words = place.control.add_blob(COUNT.encode()), place.control.add_blob(text)
    given = {
        "name": "count",
        "command": (sys.executable, "code/count.py", "{inputs.words}", "{outputs.number}", "{parameters.times}"),
        "files": {"code/count.py": code},
        "inputs": {"words": words},
        "outputs": {"number": "out/number.txt", "all": "all"},
        "parameters": {"times": 2},
    }
    return OwnStep(**(given | fields))  # type: ignore[arg-type]


def double(place: Workplace) -> OwnStep:
    return OwnStep(
        name="double",
        python="mine:double",
        files={
            "mine.py": place.control.add_blob(DOUBLE.encode()),
            "helper.py": place.control.add_blob(b"def twice(n): return 2 * n\n"),
        },
        inputs={"number": "count.number"},
        outputs={"number": "n.txt"},
        parameters={"more": 1},
    )


def do(place: Workplace, *steps: OwnStep, **fields: object) -> Run:
    request = RunRequest(kind="steps", model="own", steps=steps, **fields)  # type: ignore[arg-type]
    return place.finish(place.control.start_run(request))


def test_a_command_and_a_function_pass_files_on(place: Workplace) -> None:
    run = do(place, double(place), count(place))
    assert run.error is None
    assert (run.state, run.model_version) == (RunState.SUCCEEDED, None)
    assert [step.name for step in run.steps] == ["count", "double"]
    outputs = {step.name: step.outputs["files"] for step in run.steps}
    assert place.control.blobs[outputs["count"]["number"]] == b"6"
    assert place.control.blobs[outputs["double"]["number"]] == b"13"
    said = "".join(piece.text for piece in place.control.logs[run.id] if piece.step == "count")
    assert "counting 3 words" in said


def test_its_environment_has_no_token(place: Workplace) -> None:
    run = do(place, count(place, b"a"))
    listed = place.control.blobs[run.steps[0].outputs["files"]["all"]].decode()
    assert "LINESIDE_OUTPUT_NUMBER" in listed
    assert "TOKEN" not in listed
    assert not any(b"secret-token" in blob for blob in place.control.blobs.values())


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, StepState.CACHED),
        ({"timeout": 9.0}, StepState.CACHED),
        ({"parameters": {"times": 3}}, StepState.DONE),
        ({"environment": {"X": "1"}}, StepState.DONE),
        ({"cache": False}, StepState.DONE),
    ],
)
def test_what_was_done_with_the_same_code_inputs_and_parameters_is_taken(
    place: Workplace, change: dict[str, object], state: StepState
) -> None:
    do(place, count(place))
    assert states(do(place, msgspec.structs.replace(count(place), **change)))["count"] is state


def test_from_a_step_on_everything_is_done_again(place: Workplace) -> None:
    do(place, count(place), double(place))
    again = do(place, count(place), double(place), from_step="double")
    assert states(again) == {"count": StepState.CACHED, "double": StepState.DONE}


def test_other_code_is_another_result(place: Workplace) -> None:
    do(place, count(place))
    other = place.control.add_blob(COUNT.replace("* int", "+ int").encode())
    run = do(place, count(place, files={"code/count.py": other}))
    assert place.control.blobs[run.steps[0].outputs["files"]["number"]] == b"5"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"command": ("/no/such/program",)}, "it cannot be started"),
        ({"command": ("sh", "-c", "echo because; exit 4")}, "status 4: because"),
        ({"command": ("sh", "-c", "kill -9 $$")}, "signal 9"),
        ({"command": ("sleep", "60"), "timeout": 0.3}, "it took longer than 0.3 s"),
        ({"command": ("true",)}, "it left no number at number.txt"),
        ({"command": ("true",), "inputs": {"x": "collect.records"}, "needs": ()}, "collect"),
    ],
)
def test_a_command_that_fails_says_how(place: Workplace, fields: dict[str, object], why: str) -> None:
    if "collect" in why:
        with pytest.raises(LinesideError, match="there is no such step"):
            place.control.start_run(RunRequest(kind="steps", model="own", steps=(count(place, **fields),)))
        return
    run = do(place, count(place, **fields))
    assert run.error is not None
    assert (run.state, run.error.code) == (RunState.FAILED, "run.command_failed")
    assert why in run.error.message


def test_a_run_that_is_stopped_ends_its_command_and_what_that_started_at_once(place: Workplace, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"
    step = count(place, command=("sh", "-c", script))
    run = place.control.start_run(RunRequest(kind="steps", model="own", steps=(step,)))
    eventually(pids.exists)
    place.control.cancel_run(run.id)
    for pid in pids.read_text().split():
        eventually(lambda pid=pid: not alive(int(pid)), 20)  # type: ignore[misc]
    assert do(place, count(place)).state is RunState.SUCCEEDED


def test_what_a_command_puts_into_a_session_of_its_own_ends_with_it(place: Workplace, tmp_path: Path) -> None:
    """As a service does that makes itself independent."""
    pid = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {pid}; exec sleep 1000' & while [ ! -s {pid} ]; do sleep 0.05; done"
    run = do(place, count(place, command=("sh", "-c", script), outputs={}))
    assert run.state is RunState.SUCCEEDED
    eventually(lambda: not alive(int(pid.read_text())), 20)


def test_a_stopped_run_ends_what_its_command_put_into_a_session_of_its_own(place: Workplace, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {pid}; exec sleep 1000' & sleep 1000"
    step = count(place, command=("sh", "-c", script))
    run = place.control.start_run(RunRequest(kind="steps", model="own", steps=(step,)))
    eventually(lambda: pid.exists() and pid.read_text().strip())
    place.control.cancel_run(run.id)
    eventually(lambda: not alive(int(pid.read_text())), 20)


def test_only_what_has_the_mark_of_a_folder_is_ended(tmp_path: Path) -> None:
    """Marks of folders whose names begin alike are not the same."""
    marks = {"run-1": True, "run-1/deep": True, "run-10": False}
    sleepers = {
        name: subprocess.Popen(
            ["sleep", "1000"], env=os.environ | {MARK: mark_of(tmp_path / name)}, start_new_session=True
        )
        for name in marks
    }
    try:
        kill_marked(tmp_path / "run-1")
        for name, ends in marks.items():
            if ends:
                assert sleepers[name].wait(20) == -signal.SIGKILL
        assert sleepers["run-10"].poll() is None
    finally:
        for process in sleepers.values():
            process.kill()
            process.wait()


def test_a_run_that_is_stopped_before_its_last_word_leaves_no_folder(place: Workplace) -> None:
    """Its worker hears it from the answer to that word."""
    step = count(place, command=("true",), outputs={}, cache=False)

    def stop(reported: Step) -> None:
        if reported.state is StepState.DONE:
            place.control.cancel_run(run.id)

    place.http.on_report = stop
    try:
        run = place.control.start_run(RunRequest(kind="steps", model="own", steps=(step,)))
        eventually(lambda: place.control.run(run.id).state is RunState.CANCELLED)
        folder = folder_of(place.root / "worker", run.id)
        eventually(lambda: not folder.exists(), 30)
    finally:
        place.http.on_report = lambda step: None
    assert f"the process of run {run.id} ended with status" not in place.log()


def test_a_worker_that_is_told_to_end_gives_back_what_it_has_at_work(workplace: Workplace, tmp_path: Path) -> None:
    """And what its command put elsewhere ends with it, though it was killed without a word before."""
    pid = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {pid}; exec sleep 1000' & sleep 1000"
    step = OwnStep(name="wait", command=("sh", "-c", script))
    run = workplace.control.start_run(RunRequest(kind="steps", model="own", steps=(step,)))
    workplace.start_worker("--commands", "--name", "w")
    eventually(lambda: pid.exists() and pid.read_text().strip())
    assert workplace.worker is not None
    left = int(pid.read_text())
    for process in (workplace.worker.pid, *(one for one in descendants(workplace.worker.pid) if one != left)):
        os.kill(process, signal.SIGKILL)
    workplace.worker.wait()
    assert alive(left)
    pid.unlink()
    worker = workplace.start_worker("--commands", "--name", "w")
    eventually(lambda: pid.exists() and pid.read_text().strip())
    assert not alive(left)
    worker.terminate()
    assert worker.wait(PATIENCE) == 0
    assert workplace.control.left == [Held(run.id, 2)]
    assert workplace.control.run(run.id).state is RunState.RUNNING
    assert not alive(int(pid.read_text()))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_what_a_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    said: list[str] = []
    words = ["sh", "-c", "sleep 1000 & echo started"]
    run_command(Command(step="s", words=words, folder=tmp_path, environment=dict(os.environ), seconds=30), said.append)
    assert said == ["started"]
    left = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(os.getpid())]
    assert not any(line.startswith(b"sleep\x001000") for line in left)


def test_a_worker_that_was_not_told_says_that_it_does_none() -> None:
    assert "command" not in Offer(name="w").steps
    assert "command" in Offer(name="w", commands=True).steps


def test_a_worker_that_was_not_told_refuses_a_step_that_it_is_given(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    own = OwnStep(name="count", command=("touch", str(ran)), cache=False)
    control = MemoryControl()
    run = control.start_run(RunRequest(kind="steps", model="own", steps=(own,)))
    for allowed in (False, True):
        job = Job(
            run=run.id,
            attempt=1,
            worker="w",
            root=str(tmp_path),
            threads=1,
            commands=allowed,
            keep_seconds=60,
            entry=Entry(url="http://nowhere"),
        )
        folder = folder_of(tmp_path, run.id)
        steps = Steps(PatientControl(control), tmp_path, folder, job, StepLog(control, run.id), never)
        outcome = steps.perform(run.id, "count", {})
        assert (outcome.error is None, ran.exists()) == (allowed, allowed)
        if outcome.error is not None:
            assert outcome.error.code == "run.step_invalid"
            assert "without --commands" in outcome.error.message


def never() -> NoReturn:
    raise AssertionError
