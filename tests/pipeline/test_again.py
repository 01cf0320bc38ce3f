"""Which failures are tried again, with growing pauses; and what a step says, however the control plane is."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.run import Run, RunRequest, RunState, Step, StepState
from lineside.contract.worker import LogReport
from lineside.pipeline import again
from lineside.pipeline.blobs import Blobs
from lineside.pipeline.control import PatientControl
from lineside.pipeline.execute import Outcome, execute
from lineside.pipeline.kept import Keeper
from lineside.pipeline.reporter import StepReporter
from lineside.pipeline.said import StepLog
from lineside.pipeline.step import Context, Results, StepDefinition
from lineside.pipeline.testing import MemoryControl


class Done(msgspec.Struct, frozen=True):
    number: int


class Bench:
    """One step, `collect`, which does what a test says, and the pauses that were made."""

    def __init__(self, folder: Path, control: MemoryControl | None = None) -> None:
        self.control = control or MemoryControl()
        self.run = self.control.start_run(RunRequest(model="tags"))
        self.pauses: list[float] = []
        patient = PatientControl(self.control, self.pauses.append)
        self.context = Context(
            run=self.run.id,
            control=patient,
            blobs=Blobs(folder / "blobs", patient),
            images=Blobs(folder / "images", patient),
            folder=folder / "run",
            reporter=StepReporter(patient, self.run, "collect"),
            threads=1,
            kept=Keeper(self.control, self.run.id, folder / "run"),
            pause=self.pauses.append,
        )

    def do(self, perform: Callable[[Context, Any], Done]) -> Outcome:
        step = StepDefinition(
            name="collect",
            inputs=lambda request, results: {"x": 1},
            perform=perform,
            summary=lambda done: "done",
            outputs=Done,
            code=lambda given: (),
        )
        return execute(step, self.known(), Results({}), self.context)

    def known(self) -> Run:
        return self.control.run(self.run.id)

    def step(self) -> Step:
        return self.known().steps[0]


@pytest.mark.parametrize(
    ("failure", "deserved"),
    [
        (LinesideError("client.unreachable", url="u", why="w"), True),
        (LinesideError("run.command_passing", step="s", why="w"), True),
        (LinesideError("blob.digest_mismatch", actual="a", expected="b"), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (ConnectionResetError(errno.ECONNRESET, "reset"), True),
        (TimeoutError("slow"), True),
        (MemoryError(), True),
        (OSError(errno.ENOENT, "No such file"), False),
        (PermissionError(errno.EACCES, "no"), False),
        (LinesideError("split.empty", dataset="d", split="test"), False),
        (LinesideError("run.lease_lost", run="r", attempt=1), False),
        (ValueError("a mistake in the code"), False),
    ],
)
def test_what_may_pass_is_tried_again(tmp_path: Path, failure: Exception, deserved: bool) -> None:
    bench, tries = Bench(tmp_path), []

    def perform(context: Context, given: Any) -> Done:
        tries.append(given)
        if len(tries) < 3:
            raise failure
        return Done(7)

    outcome = bench.do(perform)
    if deserved:
        assert outcome.outputs == {"number": 7}
        assert bench.pauses == list(again.PAUSES[:2])
        assert (bench.step().state, bench.step().message) == (StepState.DONE, "done")
        waiting = [step.message for _, step in bench.control.reports if "Tried again" in step.message]
        assert len(waiting) == 2
    else:
        assert (outcome.outputs, len(tries), bench.pauses) == (None, 1, [])


def test_after_the_last_try_the_last_error_stays(tmp_path: Path) -> None:
    bench, tries = Bench(tmp_path), []

    def full(context: Context, given: Any) -> NoReturn:
        tries.append(given)
        raise OSError(errno.ENOSPC, f"No space left on device {len(tries)}")

    outcome = bench.do(full)
    assert len(tries) == len(again.PAUSES) + 1
    assert bench.pauses == sorted(bench.pauses) == list(again.PAUSES)
    assert outcome.error is not None
    assert (outcome.error.code, "device 5" in outcome.error.message) == ("run.step_failed", True)
    assert bench.step().state is StepState.FAILED


@pytest.mark.parametrize("during", ["perform", "cache_step", "report_step"])
def test_an_attempt_that_is_over_ends_without_a_word(tmp_path: Path, during: str) -> None:
    class Fenced(MemoryControl):
        def lost(self, *words: object) -> NoReturn:
            raise LinesideError("run.lease_lost", run="r", attempt=1)

    control = Fenced()
    bench = Bench(tmp_path, control)
    if during != "perform":
        setattr(control, during, control.lost)
    outcome = bench.do(lambda context, given: control.lost() if during == "perform" else Done(1))
    assert outcome == Outcome(lost=True)
    assert bench.known().state is RunState.QUEUED


def test_a_log_is_sent_in_pieces_once_each_also_after_a_silence() -> None:
    class Deaf:
        def __init__(self) -> None:
            self.deaf, self.heard = True, list[LogReport]()

        def add_log(self, run: str, said: LogReport) -> None:
            if self.deaf:
                raise LinesideError("client.unreachable", url="u", why="w")
            self.heard.append(said)

    sink = Deaf()
    log = StepLog(sink, "run-1")
    log.say("before any step")
    with log.of("train"):
        for number in range(3000):
            log.say(f"line {number} " + 90 * "x")
        log.handle(logging.LogRecord("lineside.x", logging.INFO, "f", 1, "a record of %s", ("ours",), None))
        log.handle(logging.LogRecord("dbos.x", logging.INFO, "f", 1, "of DBOS", (), None))
        log.send()
        assert sink.heard == []
        sink.deaf = False
    lines = "".join(piece.text for piece in sink.heard).splitlines()
    assert [piece.part for piece in sink.heard] == list(range(len(sink.heard)))
    assert len(sink.heard) > 3
    assert all(len(piece.text.encode()) <= 65536 for piece in sink.heard)
    assert [line.split()[1] for line in lines[:-1]] == [str(number) for number in range(3000)]
    assert lines[-1].endswith("INFO a record of ours")


def test_when_too_much_waits_the_oldest_lines_go_and_are_counted() -> None:
    control = MemoryControl()
    log = StepLog(control, "run-1")
    with log.of("train"):
        log._sending.acquire()  # as if a piece took for ever
        for number in range(10_000):
            log.say(f"{number:0100}")
        log._sending.release()
    said = "".join(piece.text for piece in control.logs["run-1"])
    lost = int(said.splitlines()[0].split()[0].removeprefix("("))
    assert lost + len(said.splitlines()) - 1 == 10_000
    assert said.splitlines()[-1] == f"{9999:0100}"


def test_checkpoints_are_kept_when_it_is_time_and_come_back(tmp_path: Path) -> None:
    control, now = MemoryControl(), [0.0]
    folder, other = tmp_path / "run", tmp_path / "other"
    (folder / "deep").mkdir(parents=True)
    keeper = Keeper(control, "run-1", folder, clock=lambda: now[0], every=30)
    (folder / "deep" / "last.pt").write_bytes(b"epoch 1")
    keeper.keep(["curve.json", "deep/last.pt"])
    assert control.kept_files("run-1") == []  # it has just begun
    now[0] = 31
    keeper.keep(["curve.json", "deep/last.pt"])
    (folder / "deep" / "last.pt").write_bytes(b"epoch 2")
    keeper.keep(["curve.json", "deep/last.pt"])
    Keeper(control, "run-1", other).restore()
    assert (other / "deep" / "last.pt").read_bytes() == b"epoch 1"
    (other / "deep" / "last.pt").write_bytes(b"later")
    Keeper(control, "run-1", other).restore()
    assert (other / "deep" / "last.pt").read_bytes() == b"later"
    control.keep("run-1", "../../etc/passwd", b"x")
    Keeper(control, "run-1", other).restore()
    assert not (tmp_path.parent / "etc").exists()
