"""Desired documents: what each device should run, numbered; the same content keeps its number."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import event
from sqlalchemy.orm import Session

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
        failure_policy: str = "ROLLBACK",
    ) -> int:
        """Make this what the device should run; returns the revision. The device gets a hint after the commit."""
        ordered = tuple(sorted(components, key=lambda component: component.name))
        digest = content_digest([ordered, deployment, failure_policy])
        row = session.get(DesiredRow, device)
        if row is not None and row.digest == digest:
            return row.revision
        if row is None:
            row = DesiredRow(device=device, revision=0)
            session.add(row)
        row.revision += 1
        row.digest, row.components = digest, ordered
        row.deployment, row.failure_policy = deployment, failure_policy
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
            soak_seconds=settings.soak_seconds,
            poll_seconds=settings.poll_seconds,
        )


def etag(desired: Desired) -> str:
    """The document's ETag, quoted: `"r<revision>-<first 8 hex digits of its digest>"`."""
    return f'"r{desired.revision}-{content_digest(desired).removeprefix("sha256:")[:8]}"'
