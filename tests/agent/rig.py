"""A whole agent in this process for tests of states and faults: everything real but the network, signatures and
processes. The control plane is in memory, a component is ready or not as its Run script says (`ready`, `never`,
`broken`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from lineside.agent import run
from lineside.agent.attention import Superseded
from lineside.agent.link import join_state
from lineside.agent.link.join_state import JoinState
from lineside.agent.paths import Paths
from lineside.agent.run import Agent
from lineside.agent.supervision import supervise
from lineside.agent.testing import FakeControlPlane
from lineside.agent.updating.steps import Step
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest, digest_of
from lineside.contract.reported import ComponentState
from tests.agent.components import artifact, recipe

Around = Callable[[Callable[[Any], None], Any], None]
"""What is done instead of a step: it is given what carries the step out, and the step."""


class FakeService:
    """A component that does at once what its script says."""

    def __init__(self, launch: Any, timing: Any, state: Any, changed: Callable[[], None], *_: Any) -> None:
        self.launch = launch
        self.orders = SimpleNamespace(set=lambda: None, held=False)
        self.state, self.ready_since, self.error = ComponentState.NEW, None, None
        self.lost, self.limits, self.restarts = False, "", 0
        self.probe: dict[str, Any] = {}
        self.down = threading.Event()
        self._changed = changed

    def start(self) -> None:
        script = self.launch.lifecycle["run"].script
        self.state = ComponentState.STARTING
        if script == "ready":
            self.state, self.ready_since = ComponentState.RUNNING, time.monotonic() - 100
        if script == "broken":
            self.state = ComponentState.BROKEN
            self.error = LinesideError(
                "component.broken",
                name=self.launch.name,
                times="3 times in a row, the last time",
                why="exit status 1",
                log="",
            )
        self._changed()

    def stop(self, patience: float) -> None:
        assert patience <= supervise.STOP_PATIENCE

    def relaunch(self, launch: Any) -> None:
        self.launch = launch

    def probe_now(self, attention: Any) -> None:
        attention.check()

    def pids(self, *_: Any) -> list[int]:
        return []


class Signed:
    """Signatures: everything that was released is."""

    def __init__(self, recipes: dict[str, bytes]) -> None:
        self._recipes = recipes

    def refresh(self) -> float:
        return time.time() + 86_400.0

    def close(self) -> None:
        return

    def check(self, wanted: DesiredComponent) -> str:
        return wanted.recipe_digest

    def fetch(self, wanted: DesiredComponent, signed: str) -> bytes:
        return self._recipes[signed]


class Rig:
    """One device: boot its agent, let it live, cut its power, boot it again."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.control = FakeControlPlane()
        self.recipes: dict[str, bytes] = {}
        self.codes: set[str] = set()
        if not self.paths.join.exists():
            root.mkdir(parents=True)
            joined = JoinState(device="cell-1", url="memory", twin=False, ca_sha256="", joined_at="")
            join_state.save(self.paths, joined)

    def release(self, version: str, script: str = "ready") -> DesiredComponent:
        """A component `app`, with an artifact of its own."""
        digest = self.control.add_blob(version.encode() * 5000)
        data = msgspec.json.encode(recipe("app", version, artifacts=[artifact("data.bin", digest)], Run=script))
        self.recipes[digest_of(data)] = data
        target = f"apps/app-{version}.json"
        return DesiredComponent(name="app", version=version, target=target, recipe_digest=digest_of(data))

    def want(self, revision: int, *components: DesiredComponent, **more: Any) -> None:
        """The control plane's document."""
        document = Desired(
            device="cell-1", revision=revision, components=components, soak_seconds=0.01, poll_seconds=0.01, **more
        )
        self.control.document = document, content_digest(document)

    def boot(self) -> None:
        """Start the agent anew on whatever is on disk. Its threads are not started: `live` is all there is."""
        self._before = set(Path("/proc/self/fd").iterdir())
        self.agent = Agent(self.paths, self.control)
        self.agent._executor._trust = Signed(self.recipes)  # type: ignore[assignment]
        self.agent._check_state()
        self.agent._local.begin()

    def around(self, kind: type[Step], act: Around, when: Callable[[Any], bool] = lambda step: True) -> None:
        """Do something else instead of a kind of step."""
        handlers = self.agent._executor._handlers
        real = handlers[kind]
        handlers[kind] = lambda step: act(real, step) if when(step) else real(step)

    def live(self, rounds: int = 5) -> None:
        """Poll and plan until there is nothing left to do, at most so often; what is reported is kept in `codes`."""
        for _ in range(rounds):
            polled = self._poll()
            self.agent.attention.begin()
            wait = 0.0
            with contextlib.suppress(Superseded):
                wait = self.agent._round()
            self._hear()
            if polled and wait == run.IDLE_SECONDS and not self.agent.attention._nudged:
                return
            self._patience_is_over()

    def running(self) -> dict[str, str]:
        """Versions by component, as they run now."""
        return {name: own.version for name, (own, _) in self.agent._supervisor.components().items()}

    def off(self) -> None:
        """The power is cut: nothing is closed in order. (What this process still holds open is let go of.)"""
        self.agent._database._connection.close()
        for handle in set(Path("/proc/self/fd").iterdir()) - self._before:
            with contextlib.suppress(OSError):
                if "eventfd" in str(handle.readlink()):
                    os.close(int(handle.name))

    def killed(self, scene: Callable[[], None]) -> None:
        """Play a scene in a process of its own, which must end by SIGKILL."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            try:
                scene()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the scene ended without coming to the step"
        assert os.WTERMSIG(status) == signal.SIGKILL

    def rewrite(self, *statements: str) -> None:
        """Change the agent's database while it is off."""
        connection = sqlite3.connect(self.paths.database, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def copy_to(self, root: Path) -> None:
        """The device's disk, to begin another test with."""
        shutil.copytree(self.paths.root, root, symlinks=True)

    def _poll(self) -> bool:
        try:
            self.agent._poller._poll()
        except (OSError, sqlite3.Error) as error:
            self.agent._failed(error)
            return False
        return True

    def _hear(self) -> None:
        """What the device says of itself now."""
        self.codes |= {one.code for one in self.agent.conditions.current()}
        newest = self.agent._reporter._outbox.newest()
        if newest is not None and newest.error is not None:
            self.codes.add(newest.error.code)
        self.codes |= {one.error.partition(":")[0] for one in self.agent._local.deployments() if one.error}

    def _patience_is_over(self) -> None:
        refusal = self.agent._reconciler._refusal
        if refusal is not None:
            self.agent._reconciler._refusal = msgspec.structs.replace(refusal, again_at=0.0)


def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Components that are no processes."""
    monkeypatch.setattr(supervise, "Service", FakeService)
    monkeypatch.setattr(run, "find_corner", lambda root: None)
