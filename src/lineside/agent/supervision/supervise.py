"""The supervisor: every component that should run now, and what can be said about them."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from lineside.agent.attention import Attention
from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.service import Service, Timing
from lineside.agent.updating.installed import Component
from lineside.agent.updating.state import State
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState, ReportedComponent

STOP_PATIENCE = 20.0
"""Seconds one component may take to stop; all of them together at the agent's end."""


class Running(msgspec.Struct, frozen=True):
    """A component in the supervisor's care."""

    component: Component
    fingerprint: str
    artifacts: dict[str, str]
    service: Service


class Supervisor:
    """Starts, stops and watches components. `changed` is called, from any thread, when one changes its state.

    The update thread alone starts, stops and waits; other threads may look.
    """

    def __init__(self, state: State, attention: Attention, timing: Timing, changed: Callable[[], None]) -> None:
        self._state = state
        self._attention = attention
        self._timing = timing
        self._tell = changed
        self._running: dict[str, Running] = {}

    def _changed(self) -> None:
        self._attention.changed()
        self._tell()

    def _items(self) -> list[Running]:
        """A copy, for the threads that only look."""
        return list(self._running.copy().values())

    def running(self) -> dict[str, str]:
        """Fingerprints of what runs, by component name, in the order they were started."""
        return {name: item.fingerprint for name, item in self._running.items()}

    def start(self, component: Component, fingerprint: str, artifacts: dict[str, str], launch: Launch) -> None:
        """Start a component; it must not run yet."""
        service = Service(launch, self._timing, self._state, self._changed)
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

    def await_ready(self, name: str, patience: float) -> LinesideError | None:
        """Wait until a component is ready (None) or BROKEN, or `patience` seconds have gone (why).

        Raises `Interrupted`, `Superseded`.
        """
        service = self._running[name].service
        until = time.monotonic() + patience
        while True:
            self._attention.clear()
            if service.ready_since is not None:
                return None
            if service.state is ComponentState.BROKEN:
                return service.error
            if time.monotonic() >= until:
                return LinesideError("deploy.start_timeout", name=name, seconds=f"{patience:g}")
            self._attention.wait(min(1.0, until - time.monotonic()))

    def settle(self, seconds: float, patience: float) -> None:
        """Wait until all were ready for `seconds` in a row, then probe each again.

        Raises the first failure, `deploy.soak_timeout` after `patience` seconds, `Interrupted`, `Superseded`.
        """
        until = time.monotonic() + patience
        while True:
            self._attention.clear()
            left = self._left(seconds)
            if left <= 0:
                break
            if time.monotonic() >= until:
                raise LinesideError("deploy.soak_timeout", seconds=f"{seconds:g}", patience=f"{patience:g}")
            self._attention.wait(min(left, until - time.monotonic()))
        for item in self._items():
            item.service.probe_now(self._attention)

    def _left(self, seconds: float) -> float:
        """Seconds of readiness that are missing. Raises the error of a BROKEN component."""
        left = 0.0
        for item in self._items():
            service = item.service
            if service.state is ComponentState.BROKEN and service.error is not None:
                raise service.error
            since = service.ready_since
            left = max(left, 1.0 if since is None else since + seconds - time.monotonic())
        return left

    def broken(self) -> LinesideError | None:
        """Why a component is BROKEN now, if one is."""
        services = (item.service for item in self._items())
        return next((one.error for one in services if one.state is ComponentState.BROKEN), None)

    def all_ready(self) -> bool:
        """Whether everything in its care is ready."""
        return all(item.service.ready_since is not None for item in self._items())

    def report(self) -> tuple[ReportedComponent, ...]:
        """Everything in its care, for the control plane, by name."""
        return tuple(_reported(item) for item in sorted(self._items(), key=lambda item: item.component.name))


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
