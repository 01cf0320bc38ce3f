"""Deployments and rollouts: which components a group should run, and how that reaches its devices in waves.

The document people write is the Greengrass V2 deployment JSON (`DeploymentDocument`), or the same with a group name.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from lineside.contract.errors import ErrorReport


class ConfigurationUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Greengrass V2 `configurationUpdate`: JSON pointers to reset, then an object to merge."""

    merge: dict[str, Any] = {}
    reset: tuple[str, ...] = ()


class ResourceLimits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Greengrass V2 `systemResourceLimits`: memory in KiB, CPUs as a number of cores; None is no limit."""

    memory: int | None = None
    cpus: float | None = None


class RunWith(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Greengrass V2 `runWith`: as whom a component runs (`user` or `user:group`) and within which limits."""

    posix_user: str | None = None
    system_resource_limits: ResourceLimits = msgspec.field(default_factory=ResourceLimits)


class ComponentSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One entry of a deployment's `components`."""

    component_version: str
    configuration_update: ConfigurationUpdate = msgspec.field(default_factory=ConfigurationUpdate)
    run_with: RunWith | None = None


class UpdatePolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Greengrass V2 `componentUpdatePolicy`: whether components are asked before they are stopped, and for how long
    they may put it off."""

    action: str = "NOTIFY_COMPONENTS"  # or SKIP_NOTIFY_COMPONENTS
    timeout_in_seconds: float = 60.0


class ValidationPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Greengrass V2 `configurationValidationPolicy`: how long a component may take to judge a new configuration."""

    timeout_in_seconds: float = 30.0


class DeploymentPolicies(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Greengrass V2 `deploymentPolicies`."""

    failure_handling_policy: str = "ROLLBACK"  # or DO_NOTHING
    component_update_policy: UpdatePolicy = msgspec.field(default_factory=UpdatePolicy)
    configuration_validation_policy: ValidationPolicy = msgspec.field(default_factory=ValidationPolicy)


class DeploymentDocument(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A Greengrass V2 deployment document; `target_arn` ends in `thinggroup/NAME`, or give `group_name`."""

    components: dict[str, ComponentSpec]
    target_arn: str | None = None
    group_name: str | None = None
    deployment_name: str = ""
    deployment_policies: DeploymentPolicies = msgspec.field(default_factory=DeploymentPolicies)
    parent_target_arn: str | None = None


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A stored deployment, immutable; each has exactly one rollout."""

    id: str
    group: str
    name: str
    components: dict[str, ComponentSpec]
    failure_policy: str
    update_policy: UpdatePolicy = msgspec.field(default_factory=UpdatePolicy)
    validation_policy: ValidationPolicy = msgspec.field(default_factory=ValidationPolicy)
    digest: str  # of its content: the same document to the same group is the same deployment
    created_at: str
    rollout: str
    staging: bool = False  # for twins: may name components that are not approved


class RolloutState(enum.Enum):
    """Where a rollout stands."""

    PENDING = "pending"  # stored, no device told yet
    RUNNING = "running"  # waves are under way
    SUCCEEDED = "succeeded"  # every device healthy at the wanted digests
    ROLLING_BACK = "rolling_back"  # a gate tripped: devices are being sent back
    FAILED = "failed"  # stopped by a gate, devices are back on what they ran
    ABORTED = "aborted"  # a person stopped it
    SUPERSEDED = "superseded"  # a newer deployment of the group took over


ROLLOUT_MOVES: dict[RolloutState, frozenset[RolloutState]] = {
    RolloutState.PENDING: frozenset({RolloutState.RUNNING, RolloutState.ABORTED, RolloutState.SUPERSEDED}),
    RolloutState.RUNNING: frozenset(
        {RolloutState.SUCCEEDED, RolloutState.ROLLING_BACK, RolloutState.ABORTED, RolloutState.SUPERSEDED}
    ),
    RolloutState.ROLLING_BACK: frozenset({RolloutState.FAILED, RolloutState.ABORTED, RolloutState.SUPERSEDED}),
    RolloutState.SUCCEEDED: frozenset({RolloutState.SUPERSEDED}),
    RolloutState.FAILED: frozenset({RolloutState.SUPERSEDED}),
    RolloutState.ABORTED: frozenset({RolloutState.SUPERSEDED}),
    RolloutState.SUPERSEDED: frozenset(),
}


class DeviceProgress(enum.Enum):
    """Where one device stands in a rollout, recomputed from its own reports."""

    WAITING = "waiting"  # its wave has not begun
    NOTIFIED = "notified"  # its desired document names the deployment; no report on it yet
    INSTALLING = "installing"  # it reported the revision and works on it
    HEALTHY = "healthy"  # running digest equals desired digest, healthy for the soak time
    FAILED = "failed"  # it reported failure, or runs something else after finishing


class RolloutDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One device of a rollout."""

    device: str
    wave: int
    progress: DeviceProgress
    error: ErrorReport | None = None


class GateCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A gate between waves with its numbers."""

    name: str
    value: float
    limit: float
    reported: int  # devices that had said something
    passed: bool | None  # None: not enough reports yet


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a state machine's history."""

    at: str
    current: str
    wanted: str
    why: str


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout as it is shown. `wave` is the wave under way, counted from 0, of `waves`."""

    id: str
    deployment: str
    group: str
    state: RolloutState
    wave: int
    waves: int
    devices: tuple[RolloutDevice, ...]
    gates: tuple[GateCheck, ...] = ()
    history: tuple[Moved, ...] = ()
    created_at: str
    finished_at: str | None = None
