"""Fakes of what the bus needs: a host that keeps components in memory, and a broker that is always there."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from lineside.agent.bus import topics
from lineside.agent.bus.ports import (
    BrokerMessage,
    ComponentDetails,
    LocalDeployment,
    LocalDeploymentRequest,
    Metric,
    Secret,
)
from lineside.contract.configuration import effective
from lineside.contract.deployment import ConfigurationUpdate
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState


class FakeHost:
    """Components by name with their configuration; remembers what was asked of it."""

    def __init__(self, components: dict[str, dict[str, Any]] | None = None) -> None:
        self.configurations = components or {}
        self.changed_at: dict[str, float] = {}
        self.calls: list[tuple[str, ...]] = []
        self.states: dict[str, ComponentState] = {}
        self.secrets: dict[str, Secret] = {}
        self.measured: list[tuple[str, Metric]] = []
        self.requests: list[LocalDeploymentRequest] = []
        self.queued: list[LocalDeployment] = []
        self.hold = threading.Event()  # clear it to make restarting wait
        self.hold.set()

    def components(self) -> Sequence[ComponentDetails]:
        return [
            ComponentDetails(
                name=name,
                version="1.0.0",
                state=self.states.get(name, ComponentState.RUNNING),
                configuration=copy.deepcopy(self.configurations[name]),
            )
            for name in sorted(self.configurations)
        ]

    def configuration(self, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.configurations.get(name))

    def update_configuration(self, name: str, path: Sequence[str], value: Any, at: float) -> None:
        if at < self.changed_at.get(name, 0.0):
            raise LinesideError("bus.condition_failed", name=name)
        self.changed_at[name] = at
        merge = value
        for key in reversed(path):
            merge = {key: merge}
        self.configurations[name] = effective(self.configurations[name], {}, ConfigurationUpdate(merge=merge))

    def report_state(self, name: str, state: ComponentState) -> None:
        self.states[name] = state

    def restart(self, name: str) -> None:
        self.hold.wait(10)
        self._act("restart", name)

    def stop(self, name: str) -> None:
        self._act("stop", name)

    def pause(self, name: str) -> None:
        self._act("pause", name)

    def resume(self, name: str) -> None:
        self._act("resume", name)

    def deploy(self, request: LocalDeploymentRequest) -> str:
        id = str(uuid.uuid4())
        self.requests.append(request)
        self.queued.insert(0, LocalDeployment(id=id, status="QUEUED", created_at=time.time()))
        return id

    def deployments(self) -> Sequence[LocalDeployment]:
        return list(self.queued)

    def cancel_deployment(self, deployment: str) -> None:
        if deployment not in [one.id for one in self.queued]:
            raise LinesideError("bus.deployment_unknown", deployment=deployment)
        self.calls.append(("cancel", deployment))

    def secret(self, id: str, version: str | None, stage: str | None) -> Secret:
        found = self.secrets.get(id)
        if found is None or (version and version != found.version) or (stage and stage not in found.stages):
            raise LinesideError("bus.secret_unknown", secret=id)
        return found

    def metrics(self, component: str, metrics: Sequence[Metric]) -> None:
        self.measured += [(component, one) for one in metrics]

    def _act(self, what: str, name: str) -> None:
        if name not in self.configurations:
            raise LinesideError("bus.component_unknown", name=name)
        self.calls.append((what, name))


class FakeBroker:
    """A broker in memory: what is published reaches who subscribed, this device too."""

    def __init__(self) -> None:
        self.published: list[BrokerMessage] = []
        self.up = True
        self._lock = threading.Lock()
        self._filters: topics.Filters[_Hearing] = topics.Filters()
        self._watchers: list[Callable[[bool], None]] = []

    def publish(self, message: BrokerMessage) -> None:
        if message.topic.startswith("lineside/"):
            raise LinesideError("bus.topic_forbidden", topic=message.topic)
        with self._lock:
            self.published.append(message)
            found = self._filters.matching(message.topic)
        for one in found:
            one.deliver(message)

    def subscribe(self, pattern: str, qos: int, deliver: Callable[[BrokerMessage], None]) -> Callable[[], None]:
        hearing = _Hearing(deliver)
        with self._lock:
            self._filters.add(pattern, hearing)

        def stop() -> None:
            with self._lock:
                self._filters.remove(pattern, hearing)

        return stop

    def subscribed(self) -> int:
        """How many subscriptions there are."""
        with self._lock:
            return len(list(self._filters))

    def connected(self) -> bool:
        return self.up

    def connect(self, up: bool) -> None:
        """Gain or lose the connection."""
        self.up = up
        for watcher in list(self._watchers):
            watcher(up)

    def watch(self, changed: Callable[[bool], None]) -> Callable[[], None]:
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)


class _Hearing:
    def __init__(self, deliver: Callable[[BrokerMessage], None]) -> None:
        self.deliver = deliver
