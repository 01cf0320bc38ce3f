"""Ctrl-C and SIGTERM to the demo's process group end every process; what cannot start says why in one sentence."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from lineside.agent.link.join_state import JoinState
from tests.e2e import processes
from tests.eventually import PATIENCE, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("control plane")]

_REPOSITORY = Path(__file__).resolve().parents[2]
_STAND_IN = shlex.join([sys.executable, "-m", "tests.e2e.stand_in_worker"])
_PATIENCE = 300.0


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "tags"
    done = processes.run("lineside.pipeline.render", str(folder), "--count", "16", "--groups", "8")
    assert done.returncode == 0, done.stderr
    return folder


@contextmanager
def _demo(root: Path, data: Path, worker: str) -> Iterator[subprocess.Popen[bytes]]:
    program = ("lineside.cli", "demo", "--root", str(root), "--data", str(data), "--yes")
    log = root.with_suffix(".log")
    demo = processes.start(program, log, LINESIDE_WORKER=worker, PYTHONPATH=str(_REPOSITORY))
    try:
        yield demo
    except AssertionError:
        sys.stderr.write(log.read_text())
        raise
    finally:
        demo.kill()
        demo.wait()


def _trains(root: Path) -> bool:
    return any((root / "worker" / "runs").glob("*/last.pt"))


def _rolls_out(root: Path) -> bool:
    """Whether the first of the devices runs the model, with the others waiting for their wave."""
    return bool(processes.about(root, "tag-station", "lineside.runtime run"))


@pytest.mark.parametrize(
    ("worker", "there", "number"),
    [
        ("auto", _trains, signal.SIGINT),
        (_STAND_IN, _rolls_out, signal.SIGINT),
        (_STAND_IN, _rolls_out, signal.SIGTERM),
    ],
    ids=["ctrl-c in training", "ctrl-c in rollout", "sigterm in rollout"],
)
def test_a_signal_to_the_whole_process_group_ends_every_process(
    tmp_path: Path, rendered: Path, worker: str, there: Callable[[Path], bool], number: signal.Signals
) -> None:
    root = tmp_path / "demo"
    with _demo(root, rendered, worker) as demo:
        eventually(lambda: there(root) or demo.poll() is not None, _PATIENCE)
        assert demo.poll() is None
        os.killpg(demo.pid, number)
        assert demo.wait(40) == 128 + number
        assert processes.about(root) == {}


def _two_lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 2, lines
    return lines


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_busy_port_is_one_sentence_and_the_next_command(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = processes.run("lineside.cli", command, "--root", str(tmp_path / "root"), "--port", str(port))
    sentence, following = _two_lines(done)
    assert sentence == f"Port {port} is in use by another program."
    assert int(following.rpartition("--port ")[2]) > port
    assert processes.about(tmp_path) == {}


@pytest.mark.parametrize("command", ["up", "demo", "agent run"])
def test_a_root_that_may_not_be_written_is_one_sentence_and_the_next_command(tmp_path: Path, command: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    if command == "agent run":
        state = JoinState(device="d", url="https://127.0.0.1:1", twin=False, ca_sha256="", joined_at="")
        (root / "join.json").write_bytes(msgspec.json.encode(state))
    root.chmod(0o500)
    # The superuser may write anywhere, unless that very capability is taken away.
    prefix = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    if prefix and shutil.which(prefix[0]) is None:
        pytest.skip("setpriv is not installed")
    program = [*prefix, sys.executable, "-m", "lineside.cli", *command.split(), "--root", str(root)]
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=PATIENCE, check=False, env=processes.environment()
    )
    sentence, following = _two_lines(done)
    assert sentence.endswith(f"{root} cannot be written.")
    assert "--root DIR" in following


@pytest.mark.parametrize(("command", "part", "extra"), [("up", "sqlalchemy", "server"), ("demo", "torch", "all")])
def test_a_missing_extra_is_one_sentence_and_the_next_command(
    tmp_path: Path, command: str, part: str, extra: str
) -> None:
    absent = f"import sys; sys.modules[{part!r}] = None; from lineside.cli.main import main; sys.exit(main())"
    program = [sys.executable, "-c", absent, command, "--root", str(tmp_path / "root")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE, check=False)
    sentence, following = _two_lines(done)
    assert sentence == f"This command needs the extra [{extra}], which is not installed."
    assert following.endswith(f"pip install 'lineside[{extra}]'")
    assert not (tmp_path / "root").exists()
