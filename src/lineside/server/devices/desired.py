"""Desired documents: what each device should run, numbered; the same content keeps its number."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import event, insert, select, update
from sqlalchemy.orm import Session

from lineside.contract.deployment import DeploymentPolicies, UpdatePolicy, ValidationPolicy
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.ids import content_digest
from lineside.server.devices.store import DesiredContentRow, DesiredRow
from lineside.server.services import Core

_AT_ONCE = 500  # names in one statement: SQLite allows some thousand parameters


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
        self.set_many(session, [device], components, deployment, policies)
        return session.scalar(select(DesiredRow.revision).where(DesiredRow.device == device)) or 0

    def set_many(
        self,
        session: Session,
        devices: Sequence[str],
        components: Sequence[DesiredComponent],
        deployment: str | None,
        policies: DeploymentPolicies | None = None,
        *,
        again: bool = False,
    ) -> int:
        """Make this what all these devices should run; returns how many had something else. Those get a new revision,
        and a hint after the commit; with `again` all of them do, so that what failed is tried once more."""
        content = _content(session, components, deployment, policies or DeploymentPolicies())
        changed: list[str] = []
        for start in range(0, len(devices), _AT_ONCE):
            changed += _set(session, devices[start : start + _AT_ONCE], content, again=again)
        if changed:
            event.listen(session, "after_commit", lambda _session: self._core.hints.hint_all(changed), once=True)
        return len(changed)

    def desired(self, session: Session, device: str) -> Desired:
        """The document of a device; revision 0 wants nothing."""
        settings, row = self._core.settings, session.get(DesiredRow, device)
        content = session.get_one(DesiredContentRow, row.content) if row else None
        return Desired(
            device=device,
            revision=row.revision if row else 0,
            components=content.components if content else (),
            deployment=content.deployment if content else None,
            failure_policy=content.failure_policy if content else "ROLLBACK",
            update_policy=(content and content.update_policy) or UpdatePolicy(),
            validation_policy=(content and content.validation_policy) or ValidationPolicy(),
            soak_seconds=settings.soak_seconds,
            poll_seconds=settings.poll_seconds,
        )


def _content(
    session: Session, components: Sequence[DesiredComponent], deployment: str | None, policies: DeploymentPolicies
) -> str:
    """The digest of a content, which is stored when it is new."""
    ordered = tuple(sorted(components, key=lambda component: component.name))
    digest = content_digest([ordered, deployment, policies])
    if session.get(DesiredContentRow, digest) is None:
        session.add(
            DesiredContentRow(
                digest=digest,
                components=ordered,
                deployment=deployment,
                failure_policy=policies.failure_handling_policy,
                update_policy=policies.component_update_policy,
                validation_policy=policies.configuration_validation_policy,
            )
        )
        session.flush()
    return digest


def _set(session: Session, devices: Sequence[str], content: str, *, again: bool) -> list[str]:
    """Point devices to a content; those that had another one, and with `again` all."""
    named = select(DesiredRow.device, DesiredRow.content).where(DesiredRow.device.in_(devices))
    there = {row.device: row.content for row in session.execute(named)}
    new = [device for device in devices if device not in there]
    changed = [device for device, before in there.items() if again or before != content]
    if new:
        rows = [{"device": device, "revision": 1, "content": content} for device in new]
        session.execute(insert(DesiredRow), rows)
    if changed:
        change = update(DesiredRow).where(DesiredRow.device.in_(changed))
        values = {"revision": DesiredRow.revision + 1, "content": content}
        session.execute(change.values(values), execution_options={"synchronize_session": "fetch"})
    return [*new, *changed]


def etag(desired: Desired) -> str:
    """The document's ETag, quoted: `"r<revision>-<first 8 hex digits of its digest>"`."""
    return f'"r{desired.revision}-{content_digest(desired).removeprefix("sha256:")[:8]}"'
