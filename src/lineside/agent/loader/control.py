"""The agent's side of its loader: installing it, asking for another agent, and saying that this one is well.

A new agent is well when it has opened its state and, if the agent before it could reach the control plane when it made
way, has reached it too. A control plane that was away before the change, or a device that has none, asks for nothing it
could not have: so a link that is down is never taken for a bad agent, and a bad link never makes two agents change back
and forth, because an agent that failed is not tried again for the same document.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from lineside import __version__
from lineside.agent.durable import sync_directory, write_atomically
from lineside.agent.loader import loader
from lineside.agent.paths import Paths
from lineside.agent.updating.supplied import AGENT
from lineside.contract.errors import LinesideError

CONFIRM_SECONDS = 300.0
"""How long a new agent has to say that it is well, unless its configuration says `confirmSeconds`."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Which agent this process is: the recipe digest of its component, or empty for the one installed by hand; and
    what the loader gave up on last, if anything."""

    digest: str = ""
    failed: str | None = None


class SelfUpdate:
    """What the agent tells its loader and hears from it. Usable from several threads."""

    def __init__(self, paths: Paths, environment: Mapping[str, str] = os.environ) -> None:
        self._folder = folder(paths)
        self._under_loader = environment.get("LINESIDE_LOADER") == str(self._folder)
        self._child = bool(environment.get("LINESIDE_LOADER_CHILD"))
        self._digest = environment.get("LINESIDE_AGENT_DIGEST", "") if self._under_loader else ""
        self._reached = False
        self._settled = not self._under_loader
        self._trial = self._under_loader and self._is_trying()
        self._lock = threading.Lock()

    def running(self) -> Running | None:
        """Which agent this is; None when no loader started it, so that it cannot be changed."""
        if not self._under_loader:
            return None
        failed = self._pointer().get("failed")
        return Running(digest=self._digest, failed=str(failed.get("digest", "")) if isinstance(failed, dict) else None)

    def on_trial(self) -> bool:
        """Whether the loader may still return to the agent before this one."""
        return self._trial and not self._settled

    def opened(self) -> None:
        """The state was opened and read."""
        trying = self._pointer().get("trying") or {}
        if not trying.get("must_reach"):
            self._confirm()

    def reached(self, reached: bool) -> None:
        """The control plane was reached just now, or was not."""
        self._reached = reached
        if reached:
            self._confirm()

    def switch(self, version: str, digest: str, python: Path | None, document: str, seconds: float) -> None:
        """Have another agent tried when this one makes way (`python` None: the one installed by hand).

        Raises `agent.update_unsupported`, `agent.package_invalid`, and `agent.update_failed` when it was tried for this
        document before.
        """
        if not self._under_loader:
            raise LinesideError("agent.update_unsupported")
        self._check_failed(version, digest, document)
        if python is None:
            base = loader.read(str(self._folder), "base.json")
            command, version = base.get("command"), str(base.get("version", version))
        else:
            command = agent_command(python)
        if not command or not Path(command[0]).exists():
            raise LinesideError("agent.package_invalid", name=AGENT, version=version, why=f"no {python}")
        trying = {
            "digest": digest,
            "version": version,
            "document": document,
            "command": command,
            "starts": 0,
            "must_reach": self._reached,
            "deadline": seconds,
        }
        with self._lock:
            self._write({"good": self._pointer().get("good"), "trying": trying})

    def make_way(self, arguments: Sequence[str]) -> NoReturn:
        """Leave this process to the loader, or start anew without one. Everything must be closed before."""
        if self._child:
            sys.exit(loader.AGAIN)
        if not self._under_loader:
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
        os.execv(python_of(self._folder), loader_command(self._folder, arguments))

    def _check_failed(self, version: str, digest: str, document: str) -> None:
        failed = self._pointer().get("failed") or {}
        if (failed.get("digest"), failed.get("document")) == (digest, document):
            log = self._folder.parent / "logs" / "agent.log"
            raise LinesideError(
                "agent.update_failed",
                version=failed.get("version", version),
                previous=failed.get("previous", ""),
                why=failed.get("why", ""),
                log=log,
            )

    def _confirm(self) -> None:
        with self._lock:
            if self._settled:
                return
            pointer = self._pointer()
            trying, good = pointer.get("trying") or {}, pointer.get("good") or {}
            if trying and trying.get("digest") == self._digest:
                own = None if self._digest == "" else trying | {"starts": 0}
                self._write({"good": own})
            elif good and good.get("starts") and good.get("digest") == self._digest:
                self._write(pointer | {"good": good | {"starts": 0}})
            self._settled = True

    def _is_trying(self) -> bool:
        trying = self._pointer().get("trying")
        return isinstance(trying, dict) and trying.get("digest") == self._digest

    def _pointer(self) -> dict[str, Any]:
        return loader.read(str(self._folder), "pointer.json")

    def _write(self, pointer: dict[str, Any]) -> None:
        loader.write(str(self._folder), "pointer.json", pointer)


def folder(paths: Paths) -> Path:
    """Where a root's loader lies."""
    return paths.root / "loader"


def install(paths: Paths, python: str = sys.executable) -> list[str]:
    """Put the loader in place for the agent that runs now, durably; the command that starts it."""
    place = folder(paths)
    place.mkdir(parents=True, exist_ok=True)
    base = {"version": __version__, "command": agent_command(Path(python)), "python": python}
    write_atomically(place / "base.json", msgspec.json.format(msgspec.json.encode(base)))
    write_atomically(place / "loader.py", Path(loader.__file__).read_bytes())
    sync_directory(paths.root)
    return loader_command(place, ["--root", str(paths.root)])


def uninstall(paths: Paths) -> None:
    """Remove the loader; `lineside agent run` is then the agent that was installed by hand, and stays it."""
    if folder(paths).is_dir():
        shutil.rmtree(folder(paths))


def loader_of(paths: Paths, environment: Mapping[str, str] = os.environ) -> list[str] | None:
    """The command of a root's loader, when there is one and it did not start this process."""
    place = folder(paths)
    if environment.get("LINESIDE_LOADER") == str(place) or not (place / "loader.py").exists():
        return None
    return loader_command(place, ["--root", str(paths.root)])


def agent_command(python: Path) -> list[str]:
    """How an environment's agent is started, before its arguments."""
    return [str(python), "-I", "-m", "lineside.agent", "run"]


def python_of(place: Path) -> str:
    """The Python that runs the loader: the one of the agent that was installed by hand."""
    return str(loader.read(str(place), "base.json").get("python") or sys.executable)


def python_by_hand(environment: Mapping[str, str] = os.environ) -> str:
    """The Python that the agent was installed with by hand, whichever agent runs: what is installed there beside it
    is there for components too, and stays there when the agent changes."""
    place = environment.get("LINESIDE_LOADER")
    return python_of(Path(place)) if place else sys.executable


def loader_command(place: Path, arguments: Sequence[str]) -> list[str]:
    """How the loader is started."""
    return [python_of(place), "-I", "-S", str(place / "loader.py"), *arguments]
