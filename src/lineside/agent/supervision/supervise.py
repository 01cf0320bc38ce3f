"""The supervisor: every component that should run now, and what can be said about them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from lineside.agent.attention import Attention
from lineside.agent.supervision.by_hand import ByHand
from lineside.agent.supervision.launch import Launch
from lineside.agent.supervision.service import Service, Timing
from lineside.agent.supervision.usage import Meter, by_group
from lineside.agent.supervision.walls.cgroups import Corner
from lineside.agent.updating.installed import Component
from lineside.agent.updating.prints import same_followed
from lineside.agent.updating.state import State
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState, ReportedComponent, Usage

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

    The update thread alone starts, stops and waits; other threads may look, and use `by_hand`. `corner` is the agent's
    own directory in the cgroup tree, where it has one.
    """

    def __init__(
        self,
        state: State,
        attention: Attention,
        timing: Timing,
        changed: Callable[[], None],
        corner: Corner | None = None,
    ) -> None:
        self._state = state
        self._attention = attention
        self._timing = timing
        self._tell = changed
        self._corner = corner
        self._running: dict[str, Running] = {}
        self._told: set[str] = set()  # of a new version that they follow, and not yet asked whether they took it up
        self._taken_up: dict[str, float] = {}  # when they said so (time.monotonic())
        self._lock = threading.Lock()  # `reconfigure` may come from another thread
        self._meter = Meter()
        self._meter_lock = threading.Lock()
        self.by_hand = ByHand(self._services)

    def _changed(self) -> None:
        for service in self._services().values():
            if service.launch.dependencies:
                service.orders.set()
        self._attention.changed()
        self._tell()

    def _items(self) -> list[Running]:
        """A copy, for the threads that only look."""
        return list(self._running.copy().values())

    def _services(self) -> Mapping[str, Service]:
        return {item.component.name: item.service for item in self._items()}

    def running(self) -> dict[str, str]:
        """Fingerprints of what runs, by component name, in the order they were started."""
        return {item.component.name: item.fingerprint for item in self._items()}

    def components(self) -> dict[str, tuple[Component, ComponentState]]:
        """What is in its care, with the state of each."""
        return {item.component.name: (item.component, item.service.state) for item in self._items()}

    def launched(self) -> list[Launch]:
        """What each component in its care was started with, by name."""
        return sorted((item.service.launch for item in self._items()), key=lambda launch: launch.name)

    def start(self, component: Component, fingerprint: str, artifacts: dict[str, str], launch: Launch) -> None:
        """Start a component; it must not run yet. It waits for those that it depends on HARD, if they are not ready."""
        service = Service(
            launch, self._timing, self._state, self._changed, lambda up: self._may_run(launch, up), self._corner
        )
        with self._lock:
            self._running[component.name] = Running(component, fingerprint, artifacts, service)
        service.start()

    def _may_run(self, launch: Launch, up: bool) -> bool:
        """A component starts when all that it needs is ready, and goes on until one of them fails or is held.

        One that the update thread replaces disturbs nobody: the plan says who is to be restarted with it.
        """
        services = self._services()
        needed = [services[name] for name in launch.dependencies if name in services]
        return not any(service.lost if up else service.ready_since is None for service in needed)

    def _waits_for(self, service: Service) -> tuple[Service, LinesideError] | None:
        """The one that a component needs and which failed or was stopped by hand, if it is down because of that."""
        if service.ready_since is not None or not service.down.is_set():
            return None
        services = self._services()
        for name in service.launch.dependencies:
            needed = services.get(name)
            if needed is not None and needed.ready_since is None and needed.error is not None:
                why = needed.error.message
                return needed, LinesideError(
                    "component.dependency_down", name=service.launch.name, dependency=name, why=why
                )
        return None

    def reconfigure(self, component: Component, fingerprint: str, launch: Launch | None = None) -> None:
        """A running component has another configuration now, and has heard of it itself; `launch` is what it is started
        with when it is started again."""
        with self._lock:
            item = self._running.get(component.name)
            if item is None:
                return
            walls = item.service.launch.sandbox
            if launch is not None:
                item.service.relaunch(launch)
            self._running[component.name] = msgspec.structs.replace(item, component=component, fingerprint=fingerprint)
            if not same_followed(item.fingerprint, fingerprint):
                self._told.add(component.name)
        if item.service.launch.sandbox != walls:  # a process cannot step into walls, or out of them, while it runs
            self.by_hand.restart(component.name)

    def stop(self, name: str, patience: float = STOP_PATIENCE) -> None:
        """Stop a component, if it runs."""
        with self._lock:
            item = self._running.pop(name, None)
            self._told.discard(name)
            self._taken_up.pop(name, None)
        if item is not None:
            item.service.stop(patience)
            self._changed()

    def stop_all(self) -> None:
        """Stop everything, last started first, within `STOP_PATIENCE` seconds in all."""
        deadline = time.monotonic() + STOP_PATIENCE
        for name in reversed(list(self._running)):
            self.stop(name, max(0.0, deadline - time.monotonic()))
        if self._corner is not None:
            self._corner.close()

    def await_ready(self, name: str, patience: float) -> LinesideError | None:
        """Wait until a component is ready (None), until it or one that it needs is BROKEN, or for `patience` seconds.

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
            waits = self._waits_for(service)
            if waits is not None and (waits[0].state is ComponentState.BROKEN or waits[0].orders.stopped):
                return waits[1]
            if time.monotonic() >= until:
                return LinesideError("deploy.start_timeout", name=name, seconds=f"{patience:g}")
            self._attention.wait(min(1.0, until - time.monotonic()))

    def settle(self, seconds: float, patience: float) -> None:
        """Wait until all were ready for `seconds` in a row (a recipe's `SoakSeconds`, if longer), then probe
        each again. Of one that goes on with new versions of what it follows, only the time with these counts.

        What was stopped by hand starts again: a deployment wants it. Raises the first failure, `deploy.soak_timeout`
        after `patience` seconds beyond the longest soak of a recipe, `Interrupted`, `Superseded`.
        """
        self.by_hand.release_all()
        until = (
            time.monotonic() + patience + max((item.service.launch.soak_seconds for item in self._items()), default=0.0)
        )
        while True:
            self._attention.clear()
            self._ask_the_told()
            left = self._left(seconds)
            if left <= 0:
                break
            if time.monotonic() >= until:
                raise LinesideError("deploy.soak_timeout", seconds=f"{seconds:g}", patience=f"{patience:g}")
            self._attention.wait(min(left, until - time.monotonic()))
        for item in self._items():
            item.service.probe_now(self._attention)

    def _ask_the_told(self) -> None:
        """Have those that were told of something new take it up; their soak begins then. Raises what `probe_now` does.

        One that is not ready has its turn when it is."""
        for item in self._items():
            name = item.component.name
            if name in self._told and item.service.ready_since is not None:
                item.service.probe_now(self._attention)
                self._taken_up[name] = time.monotonic()
                self._told.discard(name)

    def _left(self, seconds: float) -> float:
        """Seconds of readiness that are missing. Raises the error of a BROKEN component."""
        left = 0.0
        for item in self._items():
            service = item.service
            if service.state is ComponentState.BROKEN and service.error is not None:
                raise service.error
            since, soak = service.ready_since, max(seconds, service.launch.soak_seconds)
            if since is None:
                left = max(left, 1.0)
            else:
                since = max(since, self._taken_up.get(item.component.name, since))
                left = max(left, since + soak - time.monotonic())
        return left

    def broken(self) -> LinesideError | None:
        """Why a component is BROKEN now, if one is."""
        services = (item.service for item in self._items())
        return next((one.error for one in services if one.state is ComponentState.BROKEN), None)

    def all_ready(self) -> bool:
        """Whether everything in its care is ready."""
        return all(item.service.ready_since is not None for item in self._items())

    def stuck(self) -> dict[str, str]:
        """What components' threads do for longer than they may, by component: for the watchdog. Empty is well."""
        found = {item.component.name: item.service.stuck() for item in self._items()}
        return {name: what for name, what in found.items() if what is not None}

    def usage(self) -> dict[str, Usage]:
        """What each component uses, and under the name "" the agent itself; CPU since the last call."""
        with self._meter_lock:
            groups = by_group()
            pids = {item.component.name: item.service.pids(groups) for item in self._items()}
            return self._meter.look(pids | {"": [os.getpid()]})

    def report(self, usage: Mapping[str, Usage] | None = None) -> tuple[ReportedComponent, ...]:
        """Everything in its care, for the control plane, by name; with `usage()`, if that is given.

        Usage is always a little different: leave it out of what decides whether there is anything new to say.
        """
        found = usage or {}
        return tuple(
            self._reported(item, found.get(item.component.name))
            for item in sorted(self._items(), key=lambda item: item.component.name)
        )

    def _reported(self, item: Running, usage: Usage | None) -> ReportedComponent:
        service = item.service
        waits = self._waits_for(service)
        error = service.error or (None if waits is None else waits[1])
        return ReportedComponent(
            name=item.component.name,
            version=item.component.version,
            recipe_digest=item.component.recipe_digest,
            state=service.state,
            artifacts=item.artifacts,
            probe=service.probe,
            restarts=service.restarts,
            error=None if error is None else error.report(),
            usage=usage,
            limits=service.limits,
        )
