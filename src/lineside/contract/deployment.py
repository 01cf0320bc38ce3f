"""Deployments: which components a group should run. How that reaches its devices is a rollout (`contract/rollout.py`).

The document people write is the Greengrass V2 deployment JSON (`DeploymentDocument`), or the same with a group name.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lineside.contract.rollout import RolloutPlan


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
    iot_job_configuration: dict[str, Any] = {}  # AWS IoT's rollout, abort and timeout configuration; read into the plan
    rollout: RolloutPlan | None = None  # Lineside's own; None: read from the above, else the default plan


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
    asked: dict[str, str] = {}  # the version or requirement of each component that the document names
    plan: RolloutPlan = msgspec.field(default_factory=RolloutPlan)
