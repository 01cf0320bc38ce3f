"""The small parts: blobs on disk, patience, keys and progress."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineside.contract.errors import LinesideError
from lineside.contract.ids import digest_of
from lineside.contract.run import CurvePoint, Run, RunRequest, StepState
from lineside.pipeline.blobs import Blobs
from lineside.pipeline.code import code_version, source_digest
from lineside.pipeline.control import PatientControl
from lineside.pipeline.parameters import Limits, limits_of, trainer_parameters
from lineside.pipeline.reporter import RunCancelled, StepReporter
from lineside.pipeline.testing import MemoryControl


class Absent(MemoryControl):
    """A control plane that is away for the first `times` questions."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def run(self, run: str) -> Run:
        self.times -= 1
        if self.times >= 0:
            raise LinesideError("client.unreachable", url="http://127.0.0.1:1")
        return super().run(run)


def test_a_blob_is_fetched_once(tmp_path: Path) -> None:
    control = MemoryControl()
    digest = control.add_blob(b"picture")
    blobs = Blobs(tmp_path, control)
    assert [blobs.path(digest).read_bytes() for _ in range(2)] == [b"picture", b"picture"]
    assert control.fetched == [digest]


def test_a_blob_that_arrives_changed_is_refused(tmp_path: Path) -> None:
    control = MemoryControl()
    digest = digest_of(b"picture")
    control.blobs[digest] = b"other"
    with pytest.raises(LinesideError, match=r"blob\.digest_mismatch"):
        Blobs(tmp_path, control).path(digest)
    assert list(tmp_path.iterdir()) == []


def test_only_a_digest_names_a_blob(tmp_path: Path) -> None:
    with pytest.raises(LinesideError, match=r"request\.invalid"):
        Blobs(tmp_path, MemoryControl()).path("sha256:../../etc/passwd")


def test_a_blob_the_control_plane_has_is_not_sent_again(tmp_path: Path) -> None:
    control = MemoryControl()
    blobs = Blobs(tmp_path / "blobs", control)
    digest = blobs.put(b"weights")
    assert control.blobs == {digest: b"weights"}
    control.blobs[digest] = b"marked"
    (tmp_path / "same").write_bytes(b"weights")
    assert blobs.put_file(tmp_path / "same") == digest
    assert control.blobs[digest] == b"marked"


def test_patience_asks_again_with_growing_pauses() -> None:
    away = Absent(7)
    run = away.start_run(RunRequest(model="tags"))
    pauses: list[float] = []
    assert PatientControl(away, pauses.append).run(run.id) == run
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_patience_does_not_repeat_what_was_refused() -> None:
    pauses: list[float] = []
    with pytest.raises(LinesideError, match=r"request\.not_found"):
        PatientControl(MemoryControl(), pauses.append).run("run-9")
    assert pauses == []


def test_progress_goes_on_while_nobody_answers_and_its_points_wait() -> None:
    class Deaf(MemoryControl):
        deaf = True

        def report_step(self, run: str, report: object) -> None:
            if self.deaf:
                raise LinesideError("client.unreachable", url="http://127.0.0.1:1")
            super().report_step(run, report)  # type: ignore[arg-type]

    control = Deaf()
    run = control.start_run(RunRequest(model="tags"))
    reporter = StepReporter(PatientControl(control), run, "train")
    reporter.progress(0.5, "epoch 1", (CurvePoint(series="loss", epoch=1, value=3.0),))
    control.deaf = False
    reporter.done({}, "2 epochs", cached=False, curve=(CurvePoint(series="loss", epoch=2, value=2.0),))
    assert control.curves[run.id] == {("loss", 1): 3.0, ("loss", 2): 2.0}
    step = next(step for step in control.run(run.id).steps if step.name == "train")
    assert (step.state, step.progress) == (StepState.DONE, 1.0)


def test_progress_says_when_the_run_was_cancelled() -> None:
    control = MemoryControl()
    run = control.start_run(RunRequest(model="tags"))
    control.cancel_run(run.id)
    with pytest.raises(RunCancelled):
        StepReporter(PatientControl(control), run, "train").progress(0.5, "epoch 1")


def test_a_change_to_the_source_is_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "first_part.py").write_text("A = 1\n")
    (tmp_path / "second_part.py").write_text("A = 2\n")
    before = source_digest("first_part")
    source_digest.cache_clear()
    assert source_digest("first_part") == before
    source_digest.cache_clear()
    (tmp_path / "first_part.py").write_text("A = 3\n")
    assert len({before, source_digest("first_part"), source_digest("second_part")}) == 3
    source_digest.cache_clear()


def test_the_code_version_names_the_release() -> None:
    assert code_version().startswith("0.1.0+")
    assert len(code_version()) == len("0.1.0+") + 12


def test_limits_are_the_pipeline_s_and_the_rest_is_the_trainer_s() -> None:
    request = RunRequest(model="tags", parameters={"min_map": 0.5, "epochs": 3})
    assert limits_of(request) == Limits(min_map=0.5)
    assert trainer_parameters(request) == {"epochs": 3}
