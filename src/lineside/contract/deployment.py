"""Deployments: which components a group should run. How that reaches its devices is a rollout (`contract/rollout.py`).

The document people write is the Greengrass V2 deployment JSON (`DeploymentDocument`), or the same with a group name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from lineside.contract.errors import ErrorReport
from lineside.contract.job import JobConfiguration
from lineside.contract.rollout import RolloutPlan

if TYPE_CHECKING:
    Merge = dict[str, Any]
    Reset = tuple[str, ...]
else:  # as AWS's command line writes them, which `ConfigurationUpdate` reads
    Merge = dict[str, Any] | str
    Reset = tuple[str, ...] | str


class ConfigurationUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Greengrass V2 `configurationUpdate`: JSON pointers to reset, then an object to merge. Either may be JSON text, as
    AWS's command line writes them; it is read at once, so who reads a value finds an object and pointers."""

    merge: Merge = {}
    reset: Reset = ()

    def __post_init__(self) -> None:
        for name, type_, what in (("merge", dict[str, Any], "an object"), ("reset", tuple[str, ...], "a list")):
            text = getattr(self, name)
            if isinstance(text, str):
                msgspec.structs.force_setattr(self, name, _from_text(name, text, type_, what))


def _from_text(name: str, text: str, type_: Any, what: str) -> Any:
    try:
        return msgspec.json.decode(text or "null", type=type_ | None) or type_()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is text that is not {what} in JSON") from error


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


Answered = Annotated[Any, msgspec.Meta(description="What AWS says about a deployment that it has; not looked at.")]


class DeploymentDocument(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A Greengrass V2 deployment document, as `create-deployment` takes it and `get-deployment` gives it; `target_arn`
    ends in `thinggroup/NAME`, or give `group_name`. `component_version` is a version or a requirement."""

    components: dict[str, ComponentSpec]
    target_arn: str | None = None
    group_name: str | None = None
    deployment_name: str = ""
    deployment_policies: DeploymentPolicies = msgspec.field(default_factory=DeploymentPolicies)
    parent_target_arn: str | None = None
    iot_job_configuration: JobConfiguration = msgspec.field(default_factory=JobConfiguration)  # read into the plan
    rollout: RolloutPlan | None = None  # Lineside's own; None: read from the above, else the default plan
    tags: dict[str, str] = {}  # not kept
    client_token: str | None = None  # the same document twice is one deployment, with or without it
    deployment_id: Answered = None
    revision_id: Answered = None
    deployment_status: Answered = None
    iot_job_id: Answered = None
    iot_job_arn: Answered = None
    creation_timestamp: Answered = None
    is_latest_for_target: Answered = None


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
    notes: tuple[str, ...] = ()  # said once, when it is created: what of the document is read in another way


class DeploymentPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deployments, newest first. `next` is what `before` of the page after this one has to be."""

    deployments: tuple[Deployment, ...]
    total: int  # of all pages
    next: str | None = None


class PreviewWave(msgspec.Struct, frozen=True, kw_only=True):
    """How many devices a wave would have today."""

    name: str
    devices: int


class PreviewPart(msgspec.Struct, frozen=True, kw_only=True):
    """Devices of the group that would get the same: those of one platform that follow the same deployments besides."""

    devices: int
    some: tuple[str, ...]  # names of a few of them
    os: str  # empty where they have not said
    architecture: str
    beside: tuple[str, ...]  # deployments of other groups that they follow
    components: dict[str, str]  # name ► version
    conflict: ErrorReport | None = None  # why they would keep what they have


class DeploymentPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a document would come to if it were deployed now. Nothing is stored."""

    group: str
    devices: int
    components: dict[str, ComponentSpec]
    asked: dict[str, str]
    plan: RolloutPlan
    waves: tuple[PreviewWave, ...]
    parts: tuple[PreviewPart, ...]
    same_as: str | None = None  # the deployment that wants this already
    refused: ErrorReport | None = None  # why it would not be taken
    notes: tuple[str, ...] = ()
