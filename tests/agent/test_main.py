"""`lineside agent join | run | status` as people type it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lineside.agent.main import main
from lineside.contract.reported import Phase
from tests.agent.agents import AgentProcess
from tests.agent.components import recipe
from tests.agent.control_plane import ControlPlane
from tests.eventually import eventually


def test_join_run_status(plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(tmp_path / "device")
    arguments = ["join", plane.url, "--token", plane.token, "--ca-sha256", plane.ca.sha256, "--root", root]
    assert main([*arguments, "--name", "cell-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["device"] == "cell-1"
    assert main(["status", "--root", root]) == 0
    assert "agent not running" in capsys.readouterr().out

    agent = AgentProcess(tmp_path / "device", plane)
    process = agent.start()
    plane.wait_report(plane.want(plane.release(recipe())), Phase.HEALTHY)
    eventually(lambda: agent.status().good_revision == 1)
    assert main(["status", "--root", root, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pid"], found["good_revision"], found["components"][0]["name"]) == (process.pid, 1, "app")
    assert main(["run", "--root", root]) == 1
    assert f"(pid {process.pid}) runs on the root" in capsys.readouterr().err
    assert agent.end() == 0


def test_errors_are_one_sentence_and_the_next_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].endswith("belongs to no joined device.")
    assert said[1].startswith("Join first: lineside agent join")
    assert main(["status", "--root", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "agent.not_joined"


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, lineside.agent.main; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    heavy = {"numpy", "torch", "onnx", "onnxruntime", "litestar", "sqlalchemy", "typer", "rich", "PIL"}
    assert not heavy & set(run.stdout.split())
