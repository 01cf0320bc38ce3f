"""The first `make` says what it does before it is quiet for minutes, and shows how far it is where somebody looks."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]
SAID = "Installing Lineside and all it needs into .venv, once: about 2.5 GB, a minute or two, more on a slow network."
# In place of an installation over the network: `python -m venv .venv` that makes a pip which says how it was called.
PYTHON = """#!/bin/sh
mkdir -p .venv/bin
printf '#!/bin/sh\\necho "pip $*"\\n' > .venv/bin/pip
chmod +x .venv/bin/pip
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(HERE / name, tmp_path / name)
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def command(folder: Path) -> list[str]:
    return ["make", "-C", str(folder), ".venv/.ready", f"PYTHON={folder}/python"]


def test_in_a_log_it_says_what_it_does_and_pip_is_quiet(folder: Path) -> None:
    said = subprocess.run(command(folder), capture_output=True, text=True, check=True).stdout
    assert SAID in said
    assert "\npip install --quiet --disable-pip-version-check -c constraints.txt -e .[all,dev]\n" in said
    assert said.index(SAID) < said.index("-m venv")
    assert SAID not in subprocess.run(command(folder), capture_output=True, text=True, check=True).stdout


def test_on_a_terminal_pip_shows_how_far_it_is(folder: Path) -> None:
    ours, theirs = pty.openpty()
    subprocess.run(command(folder), stdout=theirs, check=True)
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert SAID in said
    assert "\npip install --disable-pip-version-check -c constraints.txt -e .[all,dev]\r\n" in said
