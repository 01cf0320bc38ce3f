"""Child processes: ended in order, grandchildren too, whatever way the demo ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lineside.cli.connection import alive
from lineside.cli.demo.interrupts import Interrupts, Stopped
from lineside.cli.demo.processes import Processes, marked
from tests.eventually import PATIENCE, eventually

# A program with a child of its own that sits in another session and does not hear SIGTERM.
PARENT = """
import os, pathlib, signal, subprocess, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
def end(number, frame):
    with (folder / "ended").open("a") as stream:
        stream.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
(folder / (name + ".part")).write_text(f"{os.getpid()} {child.pid}")
(folder / (name + ".part")).rename(folder / name)
while True:
    signal.pause()
"""
DEMO = """
import pathlib, signal, sys
from lineside.cli.demo.interrupts import Interrupts, Stopped
from lineside.cli.demo.processes import Processes
folder = pathlib.Path(sys.argv[1])
program = [sys.executable, str(folder / "parent.py"), str(folder)]
try:
    with Interrupts() as interrupts, Processes(interrupts) as processes:
        processes.start("plane", "control plane", [*program, "plane"], folder / "log")
        processes.start("station", "devices", [*program, "station"], folder / "log")
        while True:
            signal.pause()
except Stopped as stop:
    sys.exit(128 + stop.number)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    (tmp_path / "parent.py").write_text(PARENT)
    return tmp_path


def _family(folder: Path, name: str) -> list[int]:
    eventually((folder / name).exists)
    return [int(pid) for pid in (folder / name).read_text().split()]


def _program(folder: Path, name: str) -> list[str]:
    return [sys.executable, str(folder / "parent.py"), str(folder), name]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everybody_the_devices_first(parent: Path, number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", DEMO, str(parent)]) as demo:
        family = _family(parent, "plane") + _family(parent, "station")
        demo.send_signal(number)
        assert demo.wait(timeout=PATIENCE) == 128 + number
    assert (parent / "ended").read_text().split() == ["station", "plane"]
    eventually(lambda: not [pid for pid in family if alive(pid)])


def test_a_killed_demo_leaves_no_child(parent: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", DEMO, str(parent)]) as demo:
        families = _family(parent, "plane"), _family(parent, "station")
        demo.kill()
        eventually(lambda: not any(alive(family[0]) for family in families))
    for _, grandchild in families:  # these two do not hear; a real agent's children are told by their own parent
        os.kill(grandchild, signal.SIGKILL)


def test_an_orphan_of_a_killed_child_is_found_by_its_mark(parent: Path) -> None:
    with Interrupts() as interrupts, Processes(interrupts) as processes:
        child = processes.start("station", "devices", _program(parent, "station"), parent / "log")
        _, orphan = _family(parent, "station")
        os.kill(child.pid, signal.SIGKILL)
        eventually(lambda: child.status is not None)
        assert orphan in list(marked(processes.mark))
    eventually(lambda: not alive(orphan))


def test_an_ended_child_can_be_started_again(parent: Path) -> None:
    with Interrupts() as interrupts, Processes(interrupts) as processes:
        first = processes.start("station", "devices", _program(parent, "station"), parent / "log")
        _family(parent, "station")
        assert processes.ended("devices") == []
        os.kill(first.pid, signal.SIGKILL)
        eventually(lambda: processes.ended("devices") == [first])
        (parent / "station").unlink()
        second = processes.restart(first)
        assert _family(parent, "station")[0] == second.pid
        assert processes.ended("devices") == []


def test_a_helper_runs_to_its_end_and_its_words_are_kept(tmp_path: Path) -> None:
    with Interrupts() as interrupts, Processes(interrupts) as processes:
        program = [sys.executable, "-c", "import sys; print('hello'); sys.exit(5)"]
        assert processes.run("helper", program, tmp_path / "log", 30) == 5
        assert (tmp_path / "log").read_text() == "hello\n"
        with pytest.raises(TimeoutError):
            processes.run("helper", [sys.executable, "-c", "import signal; signal.pause()"], tmp_path / "log", 0.2)


def test_the_first_signal_interrupts_and_later_ones_hurry() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(Stopped) as stop:
            signal.raise_signal(signal.SIGTERM)
        assert stop.value.number == signal.SIGTERM
        assert not interrupts.hurry
        signal.raise_signal(signal.SIGINT)
        assert interrupts.hurry
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
