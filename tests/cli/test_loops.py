"""`lineside loops`, `runs start -f`, `runs logs` and `workers` against a real control plane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lineside.cli.app import run
from lineside.client import Client
from lineside.contract.ids import digest_of
from lineside.contract.loop import Loop, LoopApplied
from lineside.contract.run import Run, RunFinish, RunState
from lineside.contract.worker import Beat, Claim, LogPiece, LogReport, Worker
from lineside.server.testing import Running, running

LOOP = """\
name: counting
triggers: {webhook: true}
steps:
  - name: count
    files: [count.py, lib]
    command: [python3, count.py, "{parameters.times}"]
    parameters: {times: 3}
"""


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "root") as up:
        yield up


@pytest.fixture
def loop_yaml(tmp_path: Path) -> Path:
    (tmp_path / "lib" / "__pycache__").mkdir(parents=True)
    (tmp_path / "lib" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    (tmp_path / "lib" / "more.py").write_text("A = 1\n")
    (tmp_path / "count.py").write_text("print('counting')\n")
    file = tmp_path / "loop.yaml"
    file.write_text(LOOP)
    return file


def said(plane: Running, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run([*words, "--url", plane.people_url, "--json"]) == 0
    return capsys.readouterr().out


def test_a_loop_is_applied_started_and_removed(
    plane: Running, loop_yaml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    applied = msgspec.json.decode(said(plane, capsys, "loops", "apply", "-f", str(loop_yaml)), type=LoopApplied)
    assert (applied.changed, applied.secret is not None) == (True, True)
    again = msgspec.json.decode(said(plane, capsys, "loops", "apply", "-f", str(loop_yaml)), type=LoopApplied)
    assert (again.changed, again.secret) == (False, None)
    files = applied.loop.document.steps[0].files
    assert files == {"count.py": digest_of(b"print('counting')\n"), "lib/more.py": digest_of(b"A = 1\n")}
    started = msgspec.json.decode(
        said(plane, capsys, "loops", "start", "counting", "--set", "steps.count.times=5"), type=Run
    )
    assert (started.request.loop, started.request.steps[0].parameters) == ("counting", {"times": 5})
    (listed,) = msgspec.json.decode(said(plane, capsys, "loops", "list"), type=list[Loop])
    assert listed.run == started.id
    assert msgspec.json.decode(said(plane, capsys, "loops", "show", "counting"), type=Loop) == listed
    said(plane, capsys, "loops", "remove", "counting")
    assert msgspec.json.decode(said(plane, capsys, "loops", "list"), type=list[Loop]) == []


def test_a_run_starts_from_a_file_and_its_log_is_shown(
    plane: Running, loop_yaml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("runs", "start", "-f", str(loop_yaml), "--queue", "gpu", "--from-step", "count")
    started = msgspec.json.decode(said(plane, capsys, *words), type=Run)
    assert (started.request.queue, started.request.from_step, started.request.loop) == ("gpu", "count", None)
    client = Client(plane.people_url)
    client.beat(Beat(worker="w", queue="gpu", slots=2))
    client.claim_run(Claim(worker="w", queue="gpu", steps=("command",)))
    client.add_log(started.id, LogReport(step="count", part=0, text="counting [red]\n"))
    client.finish_run(started.id, RunFinish(state=RunState.SUCCEEDED))
    (worker,) = msgspec.json.decode(said(plane, capsys, "workers"), type=list[Worker])
    assert (worker.name, worker.slots, worker.queue) == ("w", 2, "gpu")
    piece = msgspec.json.decode(said(plane, capsys, "runs", "logs", started.id, "--follow"), type=LogPiece)
    assert (piece.step, piece.text) == ("count", "counting [red]\n")
    assert run(["runs", "logs", started.id, "--step", "count", "--url", plane.people_url]) == 0
    assert capsys.readouterr().out == "counting [red]\n"


@pytest.mark.parametrize(
    ("change", "code"),
    [(("command", "comand"), "loop.unreadable"), (("count.py, lib", "../out.py"), "cli.file_unreadable")],
)
def test_a_file_that_is_wrong_is_refused_before_anything_is_sent(
    plane: Running, loop_yaml: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], code: str
) -> None:
    loop_yaml.write_text(LOOP.replace(*change))
    assert run(["loops", "apply", "-f", str(loop_yaml), "--url", plane.people_url, "--json"]) == 1
    assert code in capsys.readouterr().out


def test_dataset_and_file_exclude_each_other(loop_yaml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "start", "-f", str(loop_yaml), "--dataset", "tags"]) == 2
    assert run(["runs", "start"]) == 2
    capsys.readouterr()
