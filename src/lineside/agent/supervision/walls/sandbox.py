"""The optional sandbox, by bubblewrap: `"lineside.sandbox": true` in a component's configuration.

Everything is read-only but the component's work directory and the captures; /tmp is its own and empty at each start; no
capabilities, no new privileges. The network, /dev (cameras) and the process list stay as they are.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lineside.contract.errors import LinesideError

KEY = "lineside.sandbox"
_PRIVATE = "/tmp"  # noqa: S108 that it is everybody's is why the sandbox has its own
_CHECK_SECONDS = 10.0


def wanted(configuration: Mapping[str, Any]) -> bool:
    """Whether a component's configuration asks for a sandbox."""
    return configuration.get(KEY) is True


def wrapper(component: str, root: Path, work: Path, writable: Sequence[Path]) -> tuple[str, ...]:
    """The command that a script is given to. Raises `component.sandbox_missing`, `component.sandbox_unusable`."""
    program = shutil.which("bwrap")
    if program is None:
        raise LinesideError("component.sandbox_missing", name=component)
    walls = [program, "--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev"]
    walls += ["--tmpfs", _PRIVATE, "--ro-bind", str(root), str(root)]
    for path in (work, *(path for path in writable if path.is_dir())):
        walls += ["--bind", str(path), str(path)]
    walls += ["--chdir", str(work), "--"]
    _check(component, walls)
    return tuple(walls)


def _check(component: str, walls: list[str]) -> None:
    """Whether the kernel lets it be built here: in many containers it does not."""
    try:
        done = subprocess.run([*walls, "/bin/true"], capture_output=True, timeout=_CHECK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LinesideError("component.sandbox_unusable", name=component, why=error) from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
        raise LinesideError("component.sandbox_unusable", name=component, why=lines[-1])
