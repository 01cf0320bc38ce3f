"""A demo's scene around a control plane of canned answers."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from lineside.cli.connection import Server
from lineside.cli.demo.display import Display
from lineside.cli.demo.fleet import Fleet
from lineside.cli.demo.interrupts import Interrupts
from lineside.cli.demo.plane import ControlPlane
from lineside.cli.demo.processes import Processes
from lineside.cli.demo.root import hold_root
from lineside.cli.demo.scene import Scene, Settings
from tests.cli.control_plane import CannedControlPlane


@pytest.fixture
def words() -> io.StringIO:
    """What the demo showed."""
    return io.StringIO()


@pytest.fixture
def scene(tmp_path: Path, plane: CannedControlPlane, words: io.StringIO) -> Iterator[Scene]:
    with Interrupts() as interrupts, hold_root(tmp_path / "root") as root, Processes(interrupts) as processes:
        display = Display(Console(file=words, width=200))
        server = Server(pid=1, people_url=plane.url, device_url="", ca_sha256="")
        child = processes.start("control plane", "control plane", [sys.executable, "-c", ""], root.logs / "log")
        asking = ControlPlane(root.path, server, child, display)
        yield Scene(
            settings=Settings(yes=True),
            root=root,
            display=display,
            processes=processes,
            plane=asking,
            fleet=Fleet(asking, root, processes),
        )
