"""Deployment documents: which group one is for, and when two are the same. Pure."""

from __future__ import annotations

from lineside.contract.deployment import DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest, is_name

POLICIES = ("ROLLBACK", "DO_NOTHING")

_ARN = "thinggroup/"


def group_of(document: DeploymentDocument) -> str:
    """The group a document is for: `groupName`, or what follows `thinggroup/` in `targetArn`.

    Raises `deployment.no_group` when neither names one, or both do and differ.
    """
    named = {name for name in (document.group_name, _from_arn(document.target_arn)) if name is not None}
    if len(named) > 1:
        raise LinesideError("deployment.no_group", why="groupName and targetArn name different groups")
    if not named:
        raise LinesideError("deployment.no_group", why="neither groupName nor targetArn is given")
    (group,) = named
    if not is_name(group):
        raise LinesideError("deployment.no_group", why=f"{group!r} is not a name")
    return group


def content_of(group: str, document: DeploymentDocument) -> str:
    """The digest of what a document wants; its name does not count."""
    policy = document.deployment_policies.failure_handling_policy
    return content_digest({"group": group, "components": document.components, "failure_policy": policy})


def check_policy(document: DeploymentDocument) -> None:
    """Raises `deployment.policy` when the failure handling policy is none of Greengrass's."""
    policy = document.deployment_policies.failure_handling_policy
    if policy not in POLICIES:
        raise LinesideError("deployment.policy", policy=policy)


def _from_arn(arn: str | None) -> str | None:
    if arn is None:
        return None
    before, found, name = arn.rpartition(_ARN)
    if not found or (before and not before.endswith((":", "/"))):
        raise LinesideError("deployment.no_group", why=f"targetArn {arn!r} does not end in thinggroup/NAME")
    return name
