"""The agent as the local bus sees it: `bus.ports.Host` over state, supervisor, local deployments and secrets."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from lineside.agent.bus.ports import (
    ComponentDetails,
    LocalDeployment,
    LocalDeploymentRequest,
    Metric,
    Secret,
)
from lineside.agent.durable import write_atomically
from lineside.agent.local.deployments import LocalDeployments
from lineside.agent.paths import Paths
from lineside.agent.secrets import Secrets
from lineside.agent.supervision.supervise import Supervisor
from lineside.agent.updating.execute import Executor
from lineside.agent.updating.state import State
from lineside.contract.errors import LinesideError
from lineside.contract.reported import ComponentState


class AgentHost:
    """One agent's. Every method may be called from any thread; none waits for the update thread."""

    def __init__(
        self,
        paths: Paths,
        state: State,
        supervisor: Supervisor,
        executor: Executor,
        local: LocalDeployments,
        measured: Callable[[str, Sequence[Metric]], None],
        secrets: Secrets,
    ) -> None:
        self._paths = paths
        self._state = state
        self._supervisor = supervisor
        self._executor = executor
        self._local = local
        self._secrets = secrets
        self._measured = measured

    # --- components -----------------------------------------------------------------------------------------------

    def components(self) -> Sequence[ComponentDetails]:
        """See `Host.components`."""
        found = self._supervisor.components()
        return [
            ComponentDetails(
                name=name, version=own.version, state=state, configuration=copy.deepcopy(own.configuration)
            )
            for name, (own, state) in sorted(found.items())
        ]

    def configuration(self, name: str) -> dict[str, Any] | None:
        """See `Host.configuration`; that of a component which is just being restarted is still the good set's."""
        found = self._supervisor.components().get(name)
        own = found[0] if found is not None else self._state.good().named(name)
        return None if own is None else copy.deepcopy(own.configuration)

    def update_configuration(self, name: str, path: Sequence[str], value: Any, at: float) -> None:
        """See `Host.update_configuration`: in every remembered set first, then in what runs, then in its file."""
        with self._executor.still:
            found = self._supervisor.components().get(name)
            if found is None:
                raise LinesideError("bus.component_unknown", name=name)
            new = self._state.update_configuration(found[0], path, value, at)
            self._executor.adopt(new)
            write_atomically(self._paths.configuration(name), msgspec.json.encode(new.configuration))

    def report_state(self, name: str, state: ComponentState) -> None:
        """See `Host.report_state`."""
        self._known(name)
        self._supervisor.by_hand.report_state(name, state)

    def restart(self, name: str) -> None:
        """See `Host.restart`."""
        self._known(name)
        self._supervisor.by_hand.restart(name)

    def stop(self, name: str) -> None:
        """See `Host.stop`."""
        self._known(name)
        self._supervisor.by_hand.stop(name)

    def pause(self, name: str) -> None:
        """See `Host.pause`."""
        self._known(name)
        self._supervisor.by_hand.pause(name)

    def resume(self, name: str) -> None:
        """See `Host.resume`."""
        self._known(name)
        self._supervisor.by_hand.resume(name)

    def _known(self, name: str) -> None:
        if name not in self._supervisor.components():
            raise LinesideError("bus.component_unknown", name=name)

    # --- local deployments ----------------------------------------------------------------------------------------

    def deploy(self, request: LocalDeploymentRequest) -> str:
        """See `Host.deploy`."""
        return self._local.deploy(request)

    def deployments(self) -> Sequence[LocalDeployment]:
        """See `Host.deployments`."""
        return self._local.deployments()

    def cancel_deployment(self, deployment: str) -> None:
        """See `Host.cancel_deployment`."""
        self._local.cancel(deployment)

    # --- secrets and measurements ---------------------------------------------------------------------------------

    def secret(self, id: str, version: str | None, stage: str | None) -> Secret:
        """See `Host.secret`."""
        return self._secrets.get(id, version, stage)

    def metrics(self, component: str, metrics: Sequence[Metric]) -> None:
        """See `Host.metrics`."""
        self._measured(component, metrics)
