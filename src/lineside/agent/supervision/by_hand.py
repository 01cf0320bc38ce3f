"""What people and components ask of other components: restart, stop, pause, resume, and "I am RUNNING".

Callers do not wait: a thread of its own takes the components down one after the other, those that cannot do without it
first. What they wait for to come up again is their own thread's business (`Orders.may_run`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from lineside.agent.supervision.service import Service
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState

PATIENCE = 60.0
"""Seconds that components which are taken down together may need."""


class ByHand:
    """Over the services that run; every method may be called from any thread and returns soon.

    Each raises `component.not_supervised` for a name that does not run.
    """

    def __init__(self, services: Callable[[], Mapping[str, Service]]) -> None:
        self._services = services
        self._lock = threading.Lock()  # one after the other
        self._asked: set[tuple[str, bool]] = set()  # under way, or waiting for their turn
        self._asked_lock = threading.Lock()

    def restart(self, name: str) -> None:
        """Restart a component, and those that depend on it HARD; one that was stopped by hand starts again."""
        self._begin(name, again=True)

    def stop(self, name: str) -> None:
        """Stop a component until it is restarted or deployed again; those that depend on it HARD wait."""
        self._begin(name, again=False)

    def release_all(self) -> None:
        """Let everything run that was stopped by hand: it is wanted anew."""
        for service in self._services().values():
            if service.orders.held:
                service.hold(False)

    def report_state(self, name: str, state: ComponentState) -> None:
        """A component says that it is RUNNING or ERRORED."""
        self._service(name).report_state(state)

    def pause(self, name: str) -> None:
        """Stop every process of a component where it is. Raises `component.cannot_pause`."""
        try:
            self._service(name).pause()
        except OSError as error:
            raise LinesideError("component.cannot_pause", name=name, why=error.strerror or error) from error

    def resume(self, name: str) -> None:
        """Let them go on."""
        self._service(name).resume()

    def _service(self, name: str) -> Service:
        service = self._services().get(name)
        if service is None:
            raise LinesideError("component.not_supervised", name=name)
        return service

    def _begin(self, name: str, *, again: bool) -> None:
        self._service(name)
        with self._asked_lock:
            if (name, again) in self._asked:
                return
            self._asked.add((name, again))
        thread = threading.Thread(target=self._take_down, args=(name, again), name=f"by hand {name}", daemon=True)
        thread.start()

    def _take_down(self, name: str, again: bool) -> None:
        with self._lock:
            with self._asked_lock:
                self._asked.discard((name, again))
            services = dict(self._services())
            if name not in services:
                return
            until = time.monotonic() + PATIENCE
            dependents = [services[one] for one in dependents_of(name, services)]
            held_before = {one.launch.name for one in dependents if one.orders.held}
            for service in (*dependents, services[name]):
                stopped = service.launch.name in held_before or (not again and service is services[name])
                service.hold(True, stopped=stopped)
                service.down.wait(max(0.0, until - time.monotonic()))
            for service in (services[name], *reversed(dependents)):
                if service.launch.name not in held_before and (again or service is not services[name]):
                    service.hold(False)


def dependents_of(name: str, services: Mapping[str, Service]) -> list[str]:
    """Those that cannot do without a component, directly or through others; last started first."""
    found = {name}
    while more := {
        one for one, service in services.items() if one not in found and found & set(service.launch.dependencies)
    }:
        found |= more
    return [one for one in reversed(list(services)) if one in found and one != name]
