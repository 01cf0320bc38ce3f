"""`lineside demo` from its first line to its last, on real images and on rendered ones: nothing in it is a stand-in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import processes
from tests.eventually import PATIENCE, eventually

_DEMO = (sys.executable, "-m", "lineside.cli", "demo")
_LONG = 1800.0  # seconds: it trains on what processors the other tests leave it
_STEPS = {"collect", "split", "train", "evaluate", "optimize", "register"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(_LONG + 60), pytest.mark.xdist_group("demo")]


@pytest.fixture
def ports() -> dict[str, str]:
    """Ports that are kept from one demo on a root to the next, whoever else looks for one meanwhile."""
    names = ("LINESIDE_PORT", "LINESIDE_DEVICE_PORT", "LINESIDE_MQTT_PORT")
    return {name: str(port) for name, port in zip(names, processes.free_ports(len(names)), strict=True)}


def _demo(root: Path, ports: dict[str, str], *options: str) -> tuple[int, dict[str, Any]]:
    """Exit status and the JSON object of a whole demo that needs nobody."""
    command = [*_DEMO, "--root", str(root), "--yes", "--exit", "--json", *options]
    environment = processes.environment(ports)
    environment.pop("OMP_NUM_THREADS")  # it trains
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LONG, check=False, env=environment)
    assert done.stdout.count("\n") == 1, done.stdout + done.stderr
    assert processes.about(root) == {}
    answer: dict[str, Any] = json.loads(done.stdout)
    assert "error" not in answer, done.stdout + done.stderr
    return done.returncode, answer


def _released_to(summary: dict[str, Any], devices: int) -> bool:
    names = [device["name"] for device in summary["devices"]]
    assert names == [f"tag-station-{number + 1}" for number in range(devices)]
    return all(d["healthy"] and d["digest"] == summary["released_digest"] for d in summary["devices"])


@pytest.mark.real_data
def test_photographs_to_decisions_and_the_same_again_changes_nothing(
    tmp_path: Path, ports: dict[str, str], metal_tags: Path, yolox_nano: Path
) -> None:
    options = ("--data", str(metal_tags), "--init", str(yolox_nano))
    status, first = _demo(tmp_path / "root", ports, *options)
    assert status == 0
    assert first["metrics"]["test"]["map50"] >= 0.72
    assert first["metrics"]["test"]["map"] >= 0.42
    assert first["model_version"] == "metal-tags:1"
    assert first["variant"] in ("fp32", "fp16", "int8")
    assert first["unchanged"] == []
    assert _released_to(first, 3)
    assert first["results"] == 3 * (14 + 14)
    assert first["captures"] >= 1

    status, again = _demo(tmp_path / "root", ports, *options)
    assert status == 0
    same = ("dataset_version", "model_version", "metrics", "released_digest", "results", "captures", "rollout")
    assert {key: again[key] for key in same} == {key: first[key] for key in same}
    assert _released_to(again, 3)
    assert set(again["unchanged"]) == _STEPS | {"data", "twin", "approval", "devices", "rollout", "pictures"}


def test_a_model_below_its_gate_exits_3_and_reaches_no_device(tmp_path: Path, ports: dict[str, str]) -> None:
    status, summary = _demo(tmp_path / "root", ports, "--epochs", "1")
    assert status == 3
    assert (summary["state"], summary["released_digest"], summary["devices"]) == ("gated_out", None, [])
    gate = next(gate for gate in summary["gates"] if not gate["passed"])
    assert gate["level"] == "BLOCK"
    assert gate["value"] < gate["limit"]
    assert "test" in summary["metrics"]


def test_two_demos_beside_each_other_take_other_roots_and_ports(tmp_path: Path) -> None:
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    addresses = []
    demos: list[subprocess.Popen[bytes]] = []
    try:
        for log in logs:
            with log.open("wb") as stream:
                demos.append(
                    subprocess.Popen(_DEMO, cwd=tmp_path, stdout=stream, stderr=stream, env=processes.environment())
                )
            eventually(lambda log=log: "watch it at" in log.read_text())  # type: ignore[misc]
            addresses.append(log.read_text().split("watch it at ")[1].split()[0])
    finally:
        for demo in demos:
            demo.terminate()
    assert [demo.wait(timeout=PATIENCE) for demo in demos] == [143, 143]
    assert len(set(addresses)) == 2
    assert sorted(folder.name for folder in tmp_path.glob("lineside-demo*")) == ["lineside-demo", "lineside-demo-2"]
    assert processes.about(tmp_path) == {}
