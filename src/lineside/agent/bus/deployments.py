"""Local deployments: make one from folders of this device, watch it, cancel it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from lineside.agent.bus.authorization import CLI, Policies
from lineside.agent.bus.connection import Call
from lineside.agent.bus.failures import Failure, missing
from lineside.agent.bus.lifecycle import EmptyRequest
from lineside.agent.bus.ports import Host, LocalDeployment, LocalDeploymentRequest
from lineside.agent.bus.protocol import Defer, Later
from lineside.agent.bus.pubsub import unauthorized
from lineside.contract.deployment import ResourceLimits, RunWith


class _Update(msgspec.Struct):
    MERGE: dict[str, Any] | None = None
    RESET: list[str] | None = None


class _RunWith(msgspec.Struct, rename="camel"):
    posix_user: str | None = None
    windows_user: str | None = None
    system_resource_limits: ResourceLimits | None = None


class CreateRequest(msgspec.Struct, rename="camel"):
    """CreateLocalDeployment. `groupName` and Windows users have no meaning here."""

    root_component_versions_to_add: dict[str, str] | None = None
    root_components_to_remove: list[str] | None = None
    component_to_configuration: dict[str, _Update] | None = None
    component_to_run_with_info: dict[str, _RunWith] | None = None
    recipe_directory_path: str | None = None
    artifacts_directory_path: str | None = None
    failure_handling_policy: Literal["ROLLBACK", "DO_NOTHING"] | None = None


class IdRequest(msgspec.Struct, rename="camel"):
    """Operations on one local deployment."""

    deployment_id: str


class Deployments:
    """Each needs a policy for `aws.greengrass.Cli`."""

    def __init__(self, host: Host, policies: Policies, defer: Defer) -> None:
        self._host = host
        self._policies = policies
        self._defer = defer

    def create(self, call: Call, request: CreateRequest) -> Later:
        """CreateLocalDeployment: answered with an id once it is queued."""
        self._authorize(call, "*")
        _check_folder(request.recipe_directory_path, "InvalidRecipeDirectoryPathError")
        _check_folder(request.artifacts_directory_path, "InvalidArtifactsDirectoryPathError")
        wanted = _request(request)
        return self._defer(call, lambda: {"deploymentId": self._host.deploy(wanted)})

    def status(self, call: Call, request: IdRequest) -> Mapping[str, Any]:
        """GetLocalDeploymentStatus."""
        self._authorize(call, request.deployment_id)
        for one in self._host.deployments():
            if one.id == request.deployment_id:
                return {"deployment": _deployment(one)}
        id = request.deployment_id
        raise missing("LocalDeployment", id, f"There is no local deployment {id} on this device.")

    def list(self, call: Call, request: EmptyRequest) -> Mapping[str, Any]:
        """ListLocalDeployments: newest first."""
        self._authorize(call, "*")
        return {"localDeployments": [_deployment(one) for one in self._host.deployments()]}

    def cancel(self, call: Call, request: IdRequest) -> Later:
        """CancelLocalDeployment."""
        self._authorize(call, "*")
        id = request.deployment_id

        def work() -> Mapping[str, str]:
            self._host.cancel_deployment(id)
            return {"message": f"Cancellation of {id} was asked for."}

        return self._defer(call, work)

    def _authorize(self, call: Call, resource: str) -> None:
        if not self._policies.allows(call.component, CLI, call.operation, resource):
            raise unauthorized(call, CLI, resource)


def _check_folder(path: str | None, error: str) -> None:
    if path and not (Path(path).is_absolute() and Path(path).is_dir()):
        raise Failure(error, f"{path} is not an absolute path of a folder on this device.")


def _request(request: CreateRequest) -> LocalDeploymentRequest:
    updates = request.component_to_configuration or {}
    return LocalDeploymentRequest(
        add=request.root_component_versions_to_add or {},
        remove=tuple(request.root_components_to_remove or ()),
        merge={name: one.MERGE for name, one in updates.items() if one.MERGE is not None},
        reset={name: tuple(one.RESET) for name, one in updates.items() if one.RESET is not None},
        run_with={
            name: RunWith(
                posix_user=one.posix_user, system_resource_limits=one.system_resource_limits or ResourceLimits()
            )
            for name, one in (request.component_to_run_with_info or {}).items()
        },
        recipes=request.recipe_directory_path or None,
        artifacts=request.artifacts_directory_path or None,
        failure_policy=request.failure_handling_policy or "ROLLBACK",
    )


def _deployment(one: LocalDeployment) -> Mapping[str, Any]:
    details: dict[str, Any] = {}
    if one.status == "SUCCEEDED":
        details["detailedDeploymentStatus"] = "SUCCESSFUL"
    if one.error:
        details["deploymentFailureCause"] = one.error
    created = datetime.datetime.fromtimestamp(one.created_at, datetime.UTC)
    return {
        "deploymentId": one.id,
        "status": one.status,
        "createdOn": created.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "deploymentStatusDetails": details,
    }
