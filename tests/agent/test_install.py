"""`pip install .` in a fresh environment gives a working agent and few packages."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 12


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=cwd, check=False)
    if done.returncode and ("Could not find a version" in done.stderr or "connection" in done.stderr.lower()):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    return done.stdout


def _copy(target: Path) -> Path:
    """The sources elsewhere: building leaves a folder behind."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", target / "src", ignore=unwanted)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target / name)
    return target


@pytest.mark.slow
def test_a_plain_install_is_a_working_agent(tmp_path: Path) -> None:
    source = _copy(tmp_path / "source")
    _run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, source, cwd=tmp_path)
    (wheel,) = tmp_path.glob("lineside-*.whl")
    venv.create(tmp_path / "fresh", with_pip=True)
    python = tmp_path / "fresh" / "bin" / "python"
    _run(python, "-m", "pip", "install", "-q", wheel, cwd=tmp_path)
    listed = json.loads(_run(python, "-m", "pip", "list", "--format", "json", cwd=tmp_path))
    names = {item["name"].lower() for item in listed} - {"pip", "setuptools", "lineside"}
    assert len(names) <= LIMIT, sorted(names)
    told = _run(tmp_path / "fresh" / "bin" / "lineside", "agent", "--help", cwd=tmp_path)
    assert all(command in told for command in ("join", "run", "status"))
