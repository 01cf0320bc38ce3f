"""Desired documents: what each device should run, numbered; the same content keeps its number."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import event
from sqlalchemy.orm import Session

from lineside.contract.deployment import DeploymentPolicies, UpdatePolicy, ValidationPolicy
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.ids import content_digest
from lineside.server.devices.store import DesiredRow
from lineside.server.services import Core


class DesiredDocuments:
    """The desired documents of all devices."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def set_desired(
        self,
        session: Session,
        device: str,
        components: Sequence[DesiredComponent],
        deployment: str | None,
        policies: DeploymentPolicies | None = None,
    ) -> int:
        """Make this what the device should run; returns the revision. The device gets a hint after the commit."""
        policies = policies or DeploymentPolicies()
        ordered = tuple(sorted(components, key=lambda component: component.name))
        digest = content_digest([ordered, deployment, policies])
        row = session.get(DesiredRow, device)
        if row is not None and row.digest == digest:
            return row.revision
        if row is None:
            row = DesiredRow(device=device, revision=0)
            session.add(row)
        row.revision += 1
        row.digest, row.components = digest, ordered
        row.deployment, row.failure_policy = deployment, policies.failure_handling_policy
        row.update_policy = policies.component_update_policy
        row.validation_policy = policies.configuration_validation_policy
        event.listen(session, "after_commit", lambda _session: self._core.hints.hint(device), once=True)
        return row.revision

    def desired(self, session: Session, device: str) -> Desired:
        """The document of a device; revision 0 wants nothing."""
        settings, row = self._core.settings, session.get(DesiredRow, device)
        if row is None:
            row = DesiredRow(device=device, revision=0, components=(), deployment=None, failure_policy="ROLLBACK")
        return Desired(
            device=device,
            revision=row.revision,
            components=row.components,
            deployment=row.deployment,
            failure_policy=row.failure_policy,
            update_policy=row.update_policy or UpdatePolicy(),
            validation_policy=row.validation_policy or ValidationPolicy(),
            soak_seconds=settings.soak_seconds,
            poll_seconds=settings.poll_seconds,
        )


def etag(desired: Desired) -> str:
    """The document's ETag, quoted: `"r<revision>-<first 8 hex digits of its digest>"`."""
    return f'"r{desired.revision}-{content_digest(desired).removeprefix("sha256:")[:8]}"'
