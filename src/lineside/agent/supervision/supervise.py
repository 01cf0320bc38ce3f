"""The supervisor: every component that should run now, and what can be said about them."""

from __future__ import annotations

import time

import msgspec

from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.processes import StopSignal, Wake, wait_any
from lineside.agent.supervision.service import Service, Timing
from lineside.agent.updating.installed import Component
from lineside.agent.updating.state import State
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState, ReportedComponent

STOP_PATIENCE = 20.0
"""Seconds one component may take to stop; all of them together at the agent's end."""


class Interrupted(Exception):
    """The agent is to end; what was under way goes on at the next start."""


class Running(msgspec.Struct, frozen=True):
    """A component in the supervisor's care."""

    component: Component
    fingerprint: str
    artifacts: dict[str, str]
    service: Service


class Supervisor:
    """Starts, stops and watches components. `wake` is set when anything changes, `stop` when the agent is to end."""

    def __init__(self, state: State, wake: Wake, stop: StopSignal, timing: Timing) -> None:
        self._state = state
        self._wake = wake
        self._stop = stop
        self._timing = timing
        self._running: dict[str, Running] = {}

    def running(self) -> dict[str, str]:
        """Fingerprints of what runs, by component name, in the order they were started."""
        return {name: item.fingerprint for name, item in self._running.items()}

    def start(self, component: Component, fingerprint: str, artifacts: dict[str, str], launch: Launch) -> None:
        """Start a component; it must not run yet."""
        service = Service(launch, self._timing, self._state, self._wake.set)
        self._running[component.name] = Running(component, fingerprint, artifacts, service)
        service.start()

    def stop(self, name: str, patience: float = STOP_PATIENCE) -> None:
        """Stop a component, if it runs."""
        item = self._running.get(name)
        if item is not None:
            item.service.stop(patience)
            del self._running[name]

    def stop_all(self) -> None:
        """Stop everything, last started first, within `STOP_PATIENCE` seconds in all."""
        deadline = time.monotonic() + STOP_PATIENCE
        for name in reversed(list(self._running)):
            self.stop(name, max(0.0, deadline - time.monotonic()))

    def await_ready(self, name: str) -> LinesideError | None:
        """Wait until a component is ready (None) or BROKEN (why). Raises `Interrupted`."""
        service = self._running[name].service
        while not self._stop.is_set():
            self._wake.clear()
            if service.ready_since is not None:
                return None
            if service.state is ComponentState.BROKEN:
                return service.error
            wait_any((self._wake, self._stop), 1.0)
        raise Interrupted

    def settle(self, seconds: float) -> None:
        """Wait until all were ready for `seconds`, then probe each again. Raises the first failure, `Interrupted`."""
        while not self._stop.is_set():
            self._wake.clear()
            left = self._left(seconds)
            if left <= 0:
                break
            wait_any((self._wake, self._stop), left)
        for item in self._running.values():
            if self._stop.is_set():
                raise Interrupted
            item.service.probe_now(self._stop)

    def _left(self, seconds: float) -> float:
        """Seconds of readiness that are missing. Raises the error of a BROKEN component."""
        left = 0.0
        for item in self._running.values():
            service = item.service
            if service.state is ComponentState.BROKEN and service.error is not None:
                raise service.error
            since = service.ready_since
            left = max(left, 1.0 if since is None else since + seconds - time.monotonic())
        return left

    def broken(self) -> LinesideError | None:
        """Why a component is BROKEN now, if one is."""
        services = (item.service for item in self._running.values())
        return next((one.error for one in services if one.state is ComponentState.BROKEN), None)

    def all_ready(self) -> bool:
        """Whether everything in its care is ready."""
        return all(item.service.ready_since is not None for item in self._running.values())

    def report(self) -> tuple[ReportedComponent, ...]:
        """Everything in its care, for the control plane, by name."""
        return tuple(_reported(self._running[name]) for name in sorted(self._running))


def _reported(item: Running) -> ReportedComponent:
    service = item.service
    error = service.error
    return ReportedComponent(
        name=item.component.name,
        version=item.component.version,
        recipe_digest=item.component.recipe_digest,
        state=service.state,
        artifacts=item.artifacts,
        probe=service.probe,
        restarts=service.restarts,
        error=None if error is None else error.report(),
    )
