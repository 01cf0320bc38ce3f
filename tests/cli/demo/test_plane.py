"""Asking the control plane: patient while it is away, and waits that end with a name."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from lineside.cli.connection import Server
from lineside.cli.demo.display import Display
from lineside.cli.demo.interrupts import Interrupts
from lineside.cli.demo.plane import ControlPlane, last_words, start_control_plane
from lineside.cli.demo.processes import Processes
from lineside.cli.demo.root import hold_root
from lineside.client import Client
from lineside.contract.errors import LinesideError
from tests.cli import values
from tests.cli.control_plane import CannedControlPlane, canned
from tests.eventually import PATIENCE


def _asking(processes: Processes, folder: Path, port: int) -> tuple[ControlPlane, io.StringIO]:
    words = io.StringIO()
    display = Display(Console(file=words, width=200))
    server = Server(pid=1, people_url=f"http://127.0.0.1:{port}", device_url="", ca_sha256="")
    child = processes.start("control plane", "control plane", [sys.executable, "-c", ""], folder / "log")
    child.process.wait()
    return ControlPlane(folder, server, child, display), words


def test_a_control_plane_that_went_away_is_missed_aloud_and_asked_again(tmp_path: Path) -> None:
    with canned() as first:
        port = first.port
    missed, answers = threading.Event(), []
    with Interrupts() as interrupts, Processes(interrupts) as processes:
        asking, words = _asking(processes, tmp_path, port)
        asking.tick = missed.set
        asker = threading.Thread(target=lambda: answers.append(asking.ask(Client.overview)))
        asker.start()
        assert missed.wait(PATIENCE)
        with canned(port):
            asker.join(PATIENCE)
    assert answers == [values.OVERVIEW]
    assert f"lineside up --root {tmp_path}" in words.getvalue()
    assert "has ended (status 0)" in words.getvalue()
    assert "answers again" in words.getvalue()


def test_an_answer_that_is_an_error_is_not_asked_again(tmp_path: Path, plane: CannedControlPlane) -> None:
    with Interrupts() as interrupts, Processes(interrupts) as processes:
        asking, _ = _asking(processes, tmp_path, plane.port)
        with pytest.raises(LinesideError, match=r"request\.not_found"):
            asking.ask(lambda client: client.device("nobody"))
    assert len(plane.asked) == 1


def test_a_wait_in_vain_names_what_was_waited_for_and_where_to_look(tmp_path: Path, plane: CannedControlPlane) -> None:
    with Interrupts() as interrupts, Processes(interrupts) as processes:
        asking, _ = _asking(processes, tmp_path, plane.port)
        with pytest.raises(LinesideError) as vain:
            asking.wait(Client.runs, lambda runs: not runs, what="the runs to go", where="worker.log", seconds=0.1)
    assert vain.value.message == "Waited 0 s for the runs to go, in vain."
    assert vain.value.next == "Look at worker.log"


def test_a_control_plane_that_does_not_start_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = ("/bin/sh", "-c", "echo Port 8400 is in use.; echo Choose another: lineside up --port 8401; exit 1")
    monkeypatch.setattr("lineside.cli.demo.plane.SERVER", failing)
    root = hold_root(tmp_path)
    with Interrupts() as interrupts, Processes(interrupts) as processes, pytest.raises(LinesideError) as failure:
        start_control_plane(root, None, processes, Display(Console(quiet=True)))
    root.lock.close()
    assert failure.value.code == "start.failed"
    assert failure.value.message == "Port 8400 is in use."
    assert failure.value.next == f"Choose another: lineside demo --root {root.path} --port 8401"


def test_last_words_of_a_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"long ago\nbefore\nafter \xff\n\n")
    assert last_words(tmp_path / "log") == "before after \ufffd"
    (tmp_path / "log").write_bytes(b"")
    assert last_words(tmp_path / "log") == "it said nothing"
