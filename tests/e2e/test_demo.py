"""`lineside demo` itself, on real images and on rendered ones; processes, sockets, training and all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.eventually import eventually

_DEMO = (sys.executable, "-m", "lineside.cli", "demo")
_LONG = 600.0  # seconds

pytestmark = [pytest.mark.slow, pytest.mark.timeout(_LONG + 60), pytest.mark.xdist_group("demo")]


def _demo(root: Path, *options: str) -> tuple[int, dict[str, Any], float]:
    began = time.monotonic()
    command = [*_DEMO, "--root", str(root), "--yes", "--exit", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LONG, check=False)
    assert done.stdout.count("\n") == 1, done.stdout + done.stderr
    assert _processes_about(root) == []
    answer: dict[str, Any] = json.loads(done.stdout)
    assert "error" not in answer, done.stdout + done.stderr
    return done.returncode, answer, time.monotonic() - began


def _processes_about(root: Path) -> list[str]:
    """Command lines of processes that speak of a root; zombies have none."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder.name.isdecimal() and folder.name != str(os.getpid()) and str(root) in line:
            found.append(line)
    return found


def _all_released(summary: dict[str, Any], devices: int) -> bool:
    names = [device["name"] for device in summary["devices"]]
    assert names == [f"tag-station-{number + 1}" for number in range(devices)]
    return all(d["healthy"] and d["digest"] == summary["released_digest"] for d in summary["devices"])


@pytest.mark.real_data
def test_photographs_to_decisions_and_the_same_again_changes_nothing(
    tmp_path: Path, metal_tags: Path, yolox_nano: Path
) -> None:
    options = ("--data", str(metal_tags), "--init", str(yolox_nano))
    status, first, seconds = _demo(tmp_path / "root", *options)
    assert status == 0
    assert seconds < 480
    assert first["metrics"]["test"]["map50"] >= 0.72
    assert first["metrics"]["test"]["map"] >= 0.42
    assert first["model_version"] == "metal-tags:1"
    assert first["variant"] in ("fp32", "int8")
    assert _all_released(first, 3)
    assert first["results"] >= 3 * 14
    assert first["captures"] >= 1

    status, again, seconds = _demo(tmp_path / "root", *options)
    assert status == 0
    assert seconds < 90
    same = ("dataset_version", "model_version", "metrics", "released_digest", "results", "rollout")
    assert {key: again[key] for key in same} == {key: first[key] for key in same}
    assert _all_released(again, 3)
    steps = {"collect", "split", "train", "evaluate", "optimize", "register"}
    assert set(again["unchanged"]) >= {"data", "train", "approval", "devices", "rollout", "pictures"}
    assert set(again["unchanged"]) <= steps | {"data", "twin", "approval", "devices", "rollout", "pictures"}


def test_a_model_below_its_gate_exits_3_and_reaches_no_device(tmp_path: Path) -> None:
    status, summary, _ = _demo(tmp_path / "root", "--epochs", "1")
    assert status == 3
    assert (summary["state"], summary["released_digest"], summary["devices"]) == ("gated_out", None, [])
    gate = next(gate for gate in summary["gates"] if not gate["passed"])
    assert gate["level"] == "BLOCK"
    assert gate["value"] < gate["limit"]
    assert "test" in summary["metrics"]


@contextmanager
def _running(root: Path, log: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as stream:
        demo = subprocess.Popen([*_DEMO, "--root", str(root), *options], stdout=stream, stderr=stream)
    try:
        yield demo
    finally:
        demo.kill()
        demo.wait()


def _says(log: Path, word: str) -> bool:
    return word in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_training_ends_every_process(tmp_path: Path, number: signal.Signals) -> None:
    root, log = tmp_path / "root", tmp_path / "log"
    with _running(root, log, "--yes") as demo:
        eventually(lambda: _says(log, "watch it at http://127.0.0.1:"), 15)
        eventually(lambda: _says(log, "    train"), 120)
        assert _processes_about(root)
        demo.send_signal(number)
        assert demo.wait(timeout=40) == 128 + number
    eventually(lambda: not _processes_about(root))


def test_two_demos_beside_each_other_take_other_roots_and_ports(tmp_path: Path) -> None:
    addresses = []
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    demos: list[subprocess.Popen[bytes]] = []
    try:
        for log in logs:
            with log.open("wb") as stream:
                demos.append(subprocess.Popen(_DEMO, cwd=tmp_path, stdout=stream, stderr=stream))
            eventually(lambda log=log: _says(log, "watch it at"), 30)  # type: ignore[misc]
            addresses.append(log.read_text().split("watch it at ")[1].split()[0])
    finally:
        for demo in demos:
            demo.terminate()
    assert [demo.wait(timeout=40) for demo in demos] == [143, 143]
    assert len(set(addresses)) == 2
    assert sorted(folder.name for folder in tmp_path.glob("lineside-demo*")) == ["lineside-demo", "lineside-demo-2"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--root", "{tmp}/file/root"), "start.root_read_only"),
        (("--data", "{tmp}/nowhere"), "client.folder_missing"),
        (("--init", "{tmp}/nowhere"), "cli.file_unreadable"),
    ],
)
def test_what_cannot_work_is_one_sentence(tmp_path: Path, options: Sequence[str], code: str) -> None:
    (tmp_path / "file").write_text("in the way")
    filled = [option.format(tmp=tmp_path) for option in options]
    done = subprocess.run([*_DEMO, *filled, "--json"], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == code
