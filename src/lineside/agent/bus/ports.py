"""What the bus and the rest of the agent need from one another, each a Protocol.

    Host      the agent as the bus sees it: components, their configuration, local deployments, secrets
    Broker    "IoT Core": the control plane's MQTT broker
    Listeners the bus as the updater sees it: who listens, who objects, who wants to wait

Fakes of them are in `lineside.agent.bus.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from lineside.contract.deployment import RunWith
from lineside.contract.reported import ComponentState


class ComponentDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A component that is installed and supervised."""

    name: str
    version: str
    state: ComponentState
    configuration: dict[str, Any]


class LocalDeploymentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a local deployment changes on top of what the control plane wants. Folders are on this device."""

    add: dict[str, str] = {}  # component name to version
    remove: tuple[str, ...] = ()
    merge: dict[str, dict[str, Any]] = {}  # by component
    reset: dict[str, tuple[str, ...]] = {}
    run_with: dict[str, RunWith] = {}
    recipes: str | None = None
    artifacts: str | None = None
    failure_policy: str = "ROLLBACK"


class LocalDeployment(msgspec.Struct, frozen=True, kw_only=True):
    """A local deployment as it stands: QUEUED, IN_PROGRESS, SUCCEEDED, FAILED or CANCELED (Greengrass's words)."""

    id: str
    status: str
    created_at: float  # seconds since the epoch
    error: str = ""


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret's value: text or bytes."""

    id: str
    version: str
    stages: tuple[str, ...]
    text: str | None = None
    data: bytes | None = None


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of a component (PutComponentMetric)."""

    name: str
    unit: str
    value: float


class Host(Protocol):
    """The agent as the bus sees it. Every method may be called from the bus's thread and returns soon.

    Raises `LinesideError` with `bus.…`, `component.…` or `deploy.…` codes, which the bus turns into modelled errors.
    """

    def components(self) -> Sequence[ComponentDetails]:
        """Every component, by name."""
        ...

    def configuration(self, name: str) -> dict[str, Any] | None:
        """A component's running configuration; None when there is no such component."""
        ...

    def update_configuration(self, name: str, path: Sequence[str], value: Any, at: float) -> None:
        """Merge `value` at `path` of a component's own configuration, as of `at` (seconds since the epoch), durably.

        `value` is an object and `path` names objects. Raises `bus.condition_failed` when what is there is newer than
        `at`. The bus tells those who subscribed by itself.
        """
        ...

    def report_state(self, name: str, state: ComponentState) -> None:
        """A component says that it is RUNNING or ERRORED (UpdateState)."""
        ...

    def restart(self, name: str) -> None:
        """Restart a component and those that depend on it HARD. Raises `bus.component_unknown`."""
        ...

    def stop(self, name: str) -> None:
        """Stop a component until it is restarted or deployed again. Raises `bus.component_unknown`."""
        ...

    def pause(self, name: str) -> None:
        """Freeze a component's processes. Raises `bus.component_unknown`, `bus.unsupported`."""
        ...

    def resume(self, name: str) -> None:
        """Thaw a component's processes."""
        ...

    def deploy(self, request: LocalDeploymentRequest) -> str:
        """Queue a local deployment; its id."""
        ...

    def deployments(self) -> Sequence[LocalDeployment]:
        """Local deployments, newest first."""
        ...

    def cancel_deployment(self, deployment: str) -> None:
        """Cancel one that has not ended. Raises `bus.deployment_unknown`."""
        ...

    def secret(self, id: str, version: str | None, stage: str | None) -> Secret:
        """A secret of this device. Raises `bus.secret_unknown`."""
        ...

    def metrics(self, component: str, metrics: Sequence[Metric]) -> None:
        """Keep a component's measurements for telemetry."""
        ...


class BrokerMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message from or for the control plane's broker."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


class Broker(Protocol):
    """The control plane's broker ("IoT Core"). Publishing never waits for the network."""

    def publish(self, message: BrokerMessage) -> None:
        """Send, or keep until there is a connection (QoS 1 on disk, QoS 0 within bounds in memory).

        Raises `bus.topic_forbidden` for a topic this device may not use, `bus.spool_full`.
        """
        ...

    def subscribe(self, pattern: str, qos: int, deliver: Callable[[BrokerMessage], None]) -> Callable[[], None]:
        """Hear what is published to a filter; call what is returned to stop. Raises `bus.topic_forbidden`."""
        ...

    def connected(self) -> bool:
        """Whether there is a connection now."""
        ...

    def watch(self, changed: Callable[[bool], None]) -> Callable[[], None]:
        """Hear of connections made and lost."""
        ...


class Listeners(Protocol):
    """The bus as the updater sees it. Every method may be called from the updater's thread.

    `validate` and `ask_to_update` wait for components: hold no lock then that a `Host` method takes.
    """

    def listens(self, component: str) -> bool:
        """Whether a component has an open SubscribeToConfigurationUpdate on its own configuration."""
        ...

    def configuration_changed(self, component: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Tell those who subscribed which keys changed."""
        ...

    def validate(
        self,
        deployment: str,
        configurations: dict[str, dict[str, Any]],
        timeout: float,
        cancelled: Callable[[], bool] | None = None,
    ) -> dict[str, str]:
        """Ask components that subscribed to validation; who refuses and why.

        Silence until `timeout` is a refusal; once `cancelled()` is true, nobody is waited for.
        """
        ...

    def ask_to_update(
        self,
        deployment: str,
        components: Sequence[str],
        *,
        restarting: bool,
        timeout: float = 60.0,
        cancelled: Callable[[], bool] | None = None,
    ) -> float:
        """Tell components that they are about to be stopped; the longest delay in seconds anyone asks for (0: go).

        Waits until all who listen have answered, `timeout` seconds have gone, or `cancelled()` is true. Call it again
        after the delay; `updated` ends it.
        """
        ...

    def updated(self, deployment: str) -> None:
        """Tell those who subscribed that the update is over."""
        ...

    def environment(self, component: str, user: int | None = None) -> dict[str, str]:
        """The bus's variables for a component's processes: socket, its secret token. A new token at every start.

        With a `user` id, only processes of that user (and root) may use the token; else of the first user seen with it.
        """
        ...
