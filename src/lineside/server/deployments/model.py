"""Deployment documents: for which group, whether they can be followed, and when two are the same. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from lineside.contract.deployment import ComponentSpec, DeploymentDocument, RunWith
from lineside.contract.errors import LinesideError
from lineside.contract.ids import content_digest, is_name
from lineside.contract.recipes.versions import is_exact
from lineside.contract.rollout import RolloutPlan

POLICIES = ("ROLLBACK", "DO_NOTHING")
ACTIONS = ("NOTIFY_COMPONENTS", "SKIP_NOTIFY_COMPONENTS")
MOST_SECONDS = 2**31 - 1
"""The longest time-out of a policy, which is Greengrass's."""

_ARN = "thinggroup/"
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?)?")


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


def asked_of(document: DeploymentDocument) -> dict[str, str]:
    """The version or requirement of each component that a document names."""
    return {name: spec.component_version for name, spec in document.components.items()}


def content_of(
    group: str, components: Mapping[str, ComponentSpec], document: DeploymentDocument, plan: RolloutPlan
) -> str:
    """The digest of what a document wants of its group, dependencies included, and of how it is to get there; its name
    does not count. A plan counts, so that the same components by another plan are a new rollout; a requirement counts,
    as it decides what goes together with other groups."""
    content: dict[str, object] = {
        "group": group,
        "components": components,
        "policies": document.deployment_policies,
    }
    requirements = {name: said for name, said in asked_of(document).items() if not is_exact(said)}
    if requirements:
        content["asked"] = requirements
    if plan != RolloutPlan():
        content["plan"] = plan
    return content_digest(content)


def check_policies(document: DeploymentDocument) -> None:
    """Whether every policy of a document, and who its components run as, can be followed.

    Raises `deployment.policy`, `deployment.update_action`, `deployment.timeout`, `deployment.run_with`.
    """
    policies = document.deployment_policies
    if policies.failure_handling_policy not in POLICIES:
        raise LinesideError("deployment.policy", policy=policies.failure_handling_policy)
    update = policies.component_update_policy
    if update.action not in ACTIONS:
        raise LinesideError("deployment.update_action", action=update.action)
    _check_seconds("componentUpdatePolicy", update.timeout_in_seconds)
    _check_seconds("configurationValidationPolicy", policies.configuration_validation_policy.timeout_in_seconds)
    for name, spec in document.components.items():
        if spec.run_with is not None:
            _check_run_with(name, spec.run_with)


def _check_seconds(policy: str, seconds: float) -> None:
    if not 0 <= seconds <= MOST_SECONDS:
        raise LinesideError("deployment.timeout", policy=policy, seconds=f"{seconds:g}", most=MOST_SECONDS)


def _check_run_with(name: str, run_with: RunWith) -> None:
    user, limits = run_with.posix_user, run_with.system_resource_limits
    if user is not None and _USER.fullmatch(user) is None:
        raise LinesideError("deployment.run_with", name=name, why=f"posixUser {user!r} is no user or user:group")
    if limits.memory is not None and limits.memory <= 0:
        raise LinesideError("deployment.run_with", name=name, why=f"memory {limits.memory} is no number of KiB above 0")
    if limits.cpus is not None and not (limits.cpus > 0 and math.isfinite(limits.cpus)):
        raise LinesideError("deployment.run_with", name=name, why=f"cpus {limits.cpus:g} is no number above 0")


def _from_arn(arn: str | None) -> str | None:
    if arn is None:
        return None
    before, found, name = arn.rpartition(_ARN)
    if not found or (before and not before.endswith((":", "/"))):
        raise LinesideError("deployment.no_group", why=f"targetArn {arn!r} does not end in thinggroup/NAME")
    return name
