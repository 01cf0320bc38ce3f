"""Operations about components: list, details, restart, stop, pause, resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lineside.agent.bus.authorization import CLI, LIFECYCLE, Policies
from lineside.agent.bus.connection import Call
from lineside.agent.bus.failures import invalid, missing
from lineside.agent.bus.lifecycle import EmptyRequest
from lineside.agent.bus.ports import ComponentDetails, Host
from lineside.agent.bus.protocol import Defer, Later
from lineside.agent.bus.pubsub import unauthorized
from lineside.contract.errors import LinesideError


class NameRequest(msgspec.Struct, rename="camel"):
    """Operations on one component."""

    component_name: str


class Components:
    """What the Greengrass CLI's operations need is a policy for `aws.greengrass.Cli`; pausing one for `lifecycle`."""

    def __init__(self, host: Host, policies: Policies, defer: Defer) -> None:
        self._host = host
        self._policies = policies
        self._defer = defer

    def list(self, call: Call, request: EmptyRequest) -> Mapping[str, Any]:
        """ListComponents."""
        self._authorize(call, CLI, "*")
        return {"components": [_details(one) for one in self._host.components()]}

    def details(self, call: Call, request: NameRequest) -> Mapping[str, Any]:
        """GetComponentDetails."""
        self._named(call, CLI, request)
        for one in self._host.components():
            if one.name == request.component_name:
                return {"componentDetails": _details(one)}
        name = request.component_name
        raise missing("Component", name, f"There is no component {name} on this device.")

    def restart(self, call: Call, request: NameRequest) -> Later:
        """RestartComponent: answered once the restart has been asked for."""
        self._named(call, CLI, request)
        return self._defer(call, lambda: self._try("restartStatus", self._host.restart, request.component_name))

    def stop(self, call: Call, request: NameRequest) -> Later:
        """StopComponent."""
        self._named(call, CLI, request)
        return self._defer(call, lambda: self._try("stopStatus", self._host.stop, request.component_name))

    def pause(self, call: Call, request: NameRequest) -> Later:
        """PauseComponent."""
        self._named(call, LIFECYCLE, request)
        return self._defer(call, lambda: self._host.pause(request.component_name))

    def resume(self, call: Call, request: NameRequest) -> Later:
        """ResumeComponent."""
        self._named(call, LIFECYCLE, request)
        return self._defer(call, lambda: self._host.resume(request.component_name))

    def _try(self, status: str, act: Callable[[str], None], name: str) -> Mapping[str, str]:
        """What could not be done is part of the answer; that there is no such component is an error."""
        try:
            act(name)
        except LinesideError as error:
            if error.code in ("bus.component_unknown", "bus.unsupported"):
                raise
            return {status: "FAILED", "message": error.message}
        return {status: "SUCCEEDED"}

    def _named(self, call: Call, service: str, request: NameRequest) -> None:
        if not request.component_name:
            raise invalid("componentName is missing.")
        self._authorize(call, service, request.component_name)

    def _authorize(self, call: Call, service: str, resource: str) -> None:
        if not self._policies.allows(call.component, service, call.operation, resource):
            raise unauthorized(call, service, resource)


def _details(one: ComponentDetails) -> Mapping[str, Any]:
    return {
        "componentName": one.name,
        "version": one.version,
        "state": one.state.value,
        "configuration": one.configuration,
    }
