"""The status file and the probe that reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lineside.runtime.models.swap_status import SwapState, SwapStatus
from lineside.runtime.probe import NEVER, NOT_YET, READY, probe
from lineside.runtime.status import RuntimeState, Status, StatusFile, process_born, read_status


def status(**changes: object) -> Status:
    pid = os.getpid()
    return Status(**{"state": RuntimeState.READY, "pid": pid, "pid_born": process_born(pid), **changes})


def test_a_ready_process_is_ready_and_its_status_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    StatusFile(tmp_path).write(status(decided=4))
    assert probe(tmp_path) == READY
    (line,) = capsys.readouterr().out.splitlines()
    assert msgspec.json.decode(line)["decided"] == 4


@pytest.mark.parametrize(
    "not_ready",
    [
        {"state": RuntimeState.LOADING},
        {"pid": 2**22 + 1},
        {"pid": 0},
        {"pid_born": 1},  # another process has this number now
    ],
)
def test_not_yet(tmp_path: Path, not_ready: dict[str, object]) -> None:
    StatusFile(tmp_path).write(status(**not_ready))
    assert probe(tmp_path) == NOT_YET


def test_a_killed_process_that_nobody_has_waited_for_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        StatusFile(tmp_path).write(status(pid=process.pid, pid_born=process_born(process.pid)))
        assert probe(tmp_path) == READY
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process_born(process.pid)
        assert probe(tmp_path) == NOT_YET


def test_never(tmp_path: Path) -> None:
    StatusFile(tmp_path).write(status(state=RuntimeState.FAILED))
    assert probe(tmp_path) == NEVER


SWAPS = {
    "done": (SwapStatus(folder="/new", state=SwapState.DONE), READY, READY),
    "another": (SwapStatus(folder="/old", state=SwapState.DONE), READY, NOT_YET),  # it has not looked yet
    "loads": (SwapStatus(folder="/new", state=SwapState.LOADING), READY, NOT_YET),
    "refused": (SwapStatus(folder="/new", state=SwapState.REFUSED), READY, NEVER),  # the model before decides
    "of no use": (SwapStatus(folder="", state=SwapState.UNUSED), READY, READY),
    "said nothing": (None, READY, NOT_YET),
}


@pytest.mark.parametrize("name", SWAPS)
def test_only_an_agent_that_settles_waits_for_a_swap(tmp_path: Path, name: str) -> None:
    swap, usual, settling = SWAPS[name]
    StatusFile(tmp_path).write(status(swaps={"a.model": swap} if swap else {}))
    (tmp_path / "followed.json").write_text('{"a.model": "/new"}')
    environment = {"LINESIDE_FOLLOWED": str(tmp_path / "followed.json")}
    assert probe(tmp_path, environment, patience=0.0) == usual
    assert probe(tmp_path, environment | {"LINESIDE_SETTLING": "1"}, patience=0.0) == settling


def test_a_failure_of_a_process_that_is_gone_is_not_this_ones(tmp_path: Path) -> None:
    StatusFile(tmp_path).write(status(state=RuntimeState.FAILED, pid=2**22 + 1))
    assert probe(tmp_path) == NOT_YET


@pytest.mark.parametrize("content", [None, b"", b'{"state": "rea', b'{"state": "dancing"}'])
def test_no_status_is_not_yet(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "status.json").write_bytes(content)
    assert read_status(tmp_path) is None
    assert probe(tmp_path) == NOT_YET


def test_the_probe_imports_no_numpy_and_no_onnxruntime(tmp_path: Path) -> None:
    code = (
        "import sys; from lineside.runtime.main import main; "
        f"code = main(['probe', '--work', {str(tmp_path)!r}]); "
        "print(code, sorted({'numpy', 'onnxruntime', 'PIL', 'paho'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "1 []"
