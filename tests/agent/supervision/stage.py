"""Real components under a real supervisor, without a control plane."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lineside.agent.attention import Attention
from lineside.agent.database import Database
from lineside.agent.supervision.failures import Timing
from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.processes import COMPONENT_MARKER, MARKER, marked
from lineside.agent.supervision.service import Service
from lineside.agent.supervision.supervise import Supervisor
from lineside.agent.supervision.walls.cgroups import Corner
from lineside.agent.updating.installed import Component
from lineside.agent.updating.state import State
from lineside.contract.deployment import RunWith
from lineside.contract.recipes.recipe import DEFAULT_TIMEOUTS, StepScript
from lineside.contract.reported import ComponentState
from tests.eventually import PATIENCE

T = TypeVar("T")
QUICK = Timing(probe_interval=0.02, probe_every=0.1, memory_every=0.05, backoff=0.01, backoff_cap=0.05)
SLEEPER = "exec sleep 1000"


def steps(**lifecycle: str | StepScript) -> dict[str, StepScript]:
    """Lifecycle steps by lower-case name, with their default time-outs."""
    return {
        key: value if isinstance(value, StepScript) else StepScript(script=value, timeout=DEFAULT_TIMEOUTS[key])
        for key, value in lifecycle.items()
    }


def step(script: str, **more: object) -> StepScript:
    """One step with more than its script."""
    return StepScript(**({"script": script, "timeout": 30.0} | more))  # type: ignore[arg-type]


class Stage:
    """A supervisor over an empty root."""

    def __init__(self, root: Path, timing: Timing = QUICK, corner: Corner | None = None) -> None:
        self.root = root
        self._database = Database(root / "agent.db")
        self.attention = Attention()
        self._changed = threading.Condition()
        self.seen: list[tuple[str, ComponentState, bool]] = []
        self.supervisor = Supervisor(State(self._database), self.attention, timing, self._look, corner)

    def launch(
        self,
        name: str = "app",
        *,
        dependencies: tuple[str, ...] = (),
        run_with: RunWith | None = None,
        sandbox: bool = False,
        soak: float = 0.0,
        **lifecycle: str | StepScript,
    ) -> Launch:
        """What the supervisor is given; without steps it sleeps."""
        return Launch(
            name=name,
            version="1.0.0",
            lifecycle=steps(**(lifecycle or {"run": SLEEPER})),
            environment={**os.environ, MARKER: str(self.root), COMPONENT_MARKER: name},
            directory=self.root / "work" / name,
            log=self.root / "logs" / f"{name}.log",
            root=self.root,
            run_with=run_with or RunWith(),
            dependencies=dependencies,
            soak_seconds=soak,
            sandbox=sandbox,
        )

    def start(self, name: str = "app", **more: object) -> Service:
        """Start a component; returns at once."""
        launch = self.launch(name, **more)  # type: ignore[arg-type]
        component = Component(name=name, version="1.0.0", target=f"recipes/{name}", recipe_digest="sha256:0")
        self.supervisor.start(component, f"{name}-1", {}, launch)
        return self.service(name)

    def service(self, name: str = "app") -> Service:
        """The service of a component."""
        return self.supervisor._services()[name]

    def ready(self, name: str = "app", **more: object) -> Service:
        """Start a component and wait until it is ready."""
        service = self.start(name, **more)
        self.wait(lambda: service.ready_since is not None)
        return service

    def wait(self, condition: Callable[[], T], timeout: float = PATIENCE) -> T:
        """The first true value, looked at at each change (and now and then)."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            assert time.monotonic() < deadline, f"it did not happen in time: {self.seen[-5:]}"
            with self._changed:
                self._changed.wait(0.02)
        return found

    def states(self, name: str = "app") -> list[ComponentState]:
        """Every state it was seen in, without repetitions."""
        found: list[ComponentState] = []
        for one, state, _ in self.seen:
            if one == name and (not found or found[-1] is not state):
                found.append(state)
        return found

    def log(self, name: str = "app") -> str:
        """What it has printed."""
        path = self.root / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def processes(self, name: str | None = None) -> list[int]:
        """What runs of it."""
        return [pid for pid, _ in marked(str(self.root), name)]

    def close(self) -> None:
        """End everything; nothing may be left."""
        self.supervisor.stop_all()
        self._database.close()
        assert self.processes() == []

    def _look(self) -> None:
        with self._changed:
            for name, service in self.supervisor._services().items():
                now = (name, service.state, service.ready_since is not None)
                if now not in self.seen[-8:] or self.states(name)[-1] is not service.state:
                    self.seen.append(now)
            self._changed.notify_all()
