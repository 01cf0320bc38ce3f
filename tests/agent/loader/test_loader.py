"""The loader as a process, with agents of a few lines: it starts, watches, goes back, and survives kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineside.agent.loader import loader
from lineside.agent.loader.control import install, loader_command
from lineside.agent.paths import Paths
from tests.eventually import PATIENCE, eventually

AGENT = """
import importlib.util, os, signal, sys
spec = importlib.util.spec_from_file_location("loader", sys.argv[1])
loader = importlib.util.module_from_spec(spec); spec.loader.exec_module(loader)
place, kind = os.environ["LINESIDE_LOADER"], sys.argv[2]
with open(os.path.join(place, "starts"), "a") as file:
    file.write(f"{kind} {os.getpid()}\\n")
if kind == "crashes":
    sys.exit(3)
if kind == "well":
    trying = loader.read(place, "pointer.json")["trying"]
    loader.write(place, "pointer.json", {"good": trying | {"starts": 0}})
if kind == "again" and os.environ["LINESIDE_LOADER_CHILD"]:
    loader.write(place, "pointer.json", {"good": loader.read(place, "pointer.json")["trying"] | {"starts": 0}})
    sys.exit(loader.AGAIN)
signal.pause()
"""


class Loader:
    """A root with a loader, and agents that are scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "root" / "loader"
        self._script = folder / "agent.py"
        self._script.write_text(AGENT)
        install(Paths(folder / "root"))
        base = loader.read(str(self.folder), "base.json")
        loader.write(str(self.folder), "base.json", base | {"command": self._command("base")})
        self.process: subprocess.Popen[bytes] | None = None

    def _command(self, kind: str) -> list[str]:
        return [sys.executable, "-I", "-S", str(self._script), str(self.folder / "loader.py"), kind]

    def agent(self, kind: str, **more: Any) -> dict[str, Any]:
        """An agent as pointer.json names it."""
        return {"digest": kind, "version": kind, "document": "r2", "command": self._command(kind), "starts": 0} | more

    def point(self, **pointer: Any) -> None:
        """Write pointer.json."""
        loader.write(str(self.folder), "pointer.json", pointer)

    def pointer(self) -> dict[str, Any]:
        """Read it."""
        return loader.read(str(self.folder), "pointer.json")

    def start(self) -> subprocess.Popen[bytes]:
        """Start the loader."""
        self.process = subprocess.Popen(loader_command(self.folder, []))
        return self.process

    def starts(self) -> list[str]:
        """Which agents were started, in order."""
        return [line.split()[0] for line in self._lines()]

    def pid(self, number: int) -> int:
        """The process id of the n-th start."""
        return int(self._lines()[number].split()[1])

    def _lines(self) -> list[str]:
        path = self.folder / "starts"
        return path.read_text().splitlines() if path.exists() else []

    def started(self, *kinds: str) -> None:
        """Wait until these agents, and no others, were started."""
        eventually(lambda: len(self.starts()) >= len(kinds))
        assert self.starts() == list(kinds)

    def close(self) -> None:
        """End what runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def gone(pid: int) -> bool:
    """Whether a process has ended, though perhaps nobody has waited for it yet."""
    path = Path(f"/proc/{pid}/stat")
    return not path.exists() or path.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Loader]:
    found = Loader(tmp_path)
    yield found
    found.close()


def test_with_nothing_under_trial_the_loader_becomes_the_agent(root: Loader) -> None:
    process = root.start()
    root.started("base")
    assert root.pid(0) == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == -signal.SIGTERM


def test_a_well_agent_is_confirmed_and_then_started_directly(root: Loader) -> None:
    root.point(trying=root.agent("well"))
    process = root.start()
    root.started("well")
    eventually(lambda: root.pointer().get("good"))
    assert root.pid(0) != process.pid
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE)
    assert not root.pointer().get("trying")
    root.point(good=root.agent("sleeps"))
    process = root.start()
    root.started("well", "sleeps")
    assert root.pid(1) == process.pid
    assert root.pointer()["good"]["starts"] == 1


def test_after_three_crashes_the_agent_before_runs_again(root: Loader) -> None:
    good = root.agent("sleeps")
    root.point(good=good, trying=root.agent("crashes"))
    process = root.start()
    root.started("crashes", "crashes", "crashes", "sleeps")
    assert root.pid(3) == process.pid
    assert root.pointer()["good"]["command"] == good["command"]
    assert root.pointer()["failed"]["digest"] == "crashes"


def test_an_agent_that_hangs_is_given_up_at_its_deadline(root: Loader) -> None:
    root.point(trying=root.agent("sleeps", deadline=0.5))
    root.start()
    root.started("sleeps", "base")
    assert root.pointer()["failed"]["why"] == "it was not ready in 0.5 s"


def test_an_agent_that_cannot_be_started_is_given_up(root: Loader) -> None:
    root.point(trying=root.agent("sleeps", command=["/there/is/none"]))
    root.start()
    root.started("base")
    assert root.pointer()["failed"]["digest"] == "sleeps"


def test_a_good_agent_that_has_gone_is_replaced_by_the_one_installed_by_hand(root: Loader) -> None:
    root.point(good=root.agent("sleeps", command=["/there/is/none"]))
    root.start()
    root.started("base")
    assert "cannot be started" in root.pointer()["failed"]["why"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\x00", b'{"good": 7, "trying": "x"}'], ids=range(5))
def test_a_damaged_pointer_means_the_agent_installed_by_hand(root: Loader, damage: bytes) -> None:
    (root.folder / "pointer.json").write_bytes(damage)
    root.start()
    root.started("base")


def test_killing_the_loader_ends_its_agent_and_counts_as_a_start(root: Loader) -> None:
    root.point(trying=root.agent("sleeps"))
    for number in range(3):
        process = root.start()
        root.started(*["sleeps"] * (number + 1))
        process.kill()
        process.wait()
        eventually(lambda number=number: gone(root.pid(number)))
    root.start()
    root.started("sleeps", "sleeps", "sleeps", "base")


def test_killing_the_agent_under_trial_counts_as_a_start(root: Loader) -> None:
    root.point(trying=root.agent("sleeps"))
    root.start()
    for number in range(3):
        root.started(*["sleeps"] * (number + 1))
        os.kill(root.pid(number), signal.SIGKILL)
    root.started("sleeps", "sleeps", "sleeps", "base")


def test_being_told_to_end_is_no_failure(root: Loader) -> None:
    root.point(trying=root.agent("sleeps"))
    for number in range(4):
        process = root.start()
        root.started(*["sleeps"] * (number + 1))
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    assert root.pointer()["trying"]["starts"] == 0


def test_an_agent_may_ask_the_loader_to_choose_again(root: Loader) -> None:
    root.point(trying=root.agent("again"))
    process = root.start()
    root.started("again", "again")
    assert root.pid(1) == process.pid


def test_a_folder_that_cannot_be_written_still_starts_an_agent(root: Loader) -> None:
    root.point(trying=root.agent("sleeps"))
    (root.folder / "pointer.json.tmp").mkdir()  # in the way of every write, even root's
    root.start()
    root.started("base")
    assert root.pointer()["trying"]["starts"] == 0


def test_the_loader_is_one_small_file_of_the_standard_library(root: Loader) -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import loader; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(root.folder)], capture_output=True, text=True, check=True
    )
    assert not {"lineside", "msgspec", "typing", "subprocess", "threading"} & set(run.stdout.split())
    assert json.loads((root.folder / "base.json").read_text())["python"] == sys.executable
