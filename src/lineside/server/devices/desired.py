"""Desired documents: what each device should run, numbered; the same content keeps its number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import event, insert, literal, select, update
from sqlalchemy.orm import Session

from lineside.contract.deployment import DeploymentPolicies, UpdatePolicy, ValidationPolicy
from lineside.contract.desired import Desired, DesiredComponent
from lineside.contract.ids import content_digest
from lineside.server.database.among import among
from lineside.server.devices.store import DesiredContentRow, DesiredRow, DeviceRow
from lineside.server.services import Core

_CONTENTS = 64  # kept in memory; a fleet has a few at a time


@dataclass(frozen=True)
class Content:
    """What a desired document says, but for whose it is and its revision."""

    components: tuple[DesiredComponent, ...] = ()
    deployment: str | None = None
    failure_policy: str = "ROLLBACK"
    update_policy: UpdatePolicy = field(default_factory=UpdatePolicy)
    validation_policy: ValidationPolicy = field(default_factory=ValidationPolicy)


NOTHING = Content()


class DesiredDocuments:
    """The desired documents of all devices."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._contents: dict[str, Content] = {}

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
        changed = _set(session, devices, content, again=again) if devices else []
        if changed:
            event.listen(session, "after_commit", lambda _session: self._core.hints.hint_all(changed), once=True)
        return len(changed)

    def desired(self, session: Session, device: str) -> Desired:
        """The document of a device; revision 0 wants nothing."""
        row = session.get(DesiredRow, device)
        return self.document(device, row.revision, self.content(session, row.content)) if row else self.document(device)

    def content(self, session: Session, digest: str) -> Content:
        """What documents of this content say. Its name is its digest, so what was read once stays true."""
        found = self._contents.get(digest)
        if found is None:
            found = _read(session.get_one(DesiredContentRow, digest))
            while len(self._contents) >= _CONTENTS:
                self._contents.pop(next(iter(self._contents), ""), None)
            self._contents[digest] = found
        return found

    def known(self, digest: str) -> Content | None:
        """The same, if it was read before."""
        return self._contents.get(digest)

    def document(self, device: str, revision: int = 0, content: Content = NOTHING) -> Desired:
        """A device's document at a revision."""
        settings = self._core.settings
        return Desired(
            device=device,
            revision=revision,
            components=content.components,
            deployment=content.deployment,
            failure_policy=content.failure_policy,
            update_policy=content.update_policy,
            validation_policy=content.validation_policy,
            soak_seconds=settings.soak_seconds,
            poll_seconds=settings.poll_seconds,
        )

    def etag(self, revision: int, digest: str | None) -> str:
        """The ETag of a document, quoted: `"r<revision>-<8 hex digits>"`; of a content it has the digest, no more."""
        settings = self._core.settings
        said = f"{digest} {settings.soak_seconds} {settings.poll_seconds}"
        return f'"r{revision}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"'


def _read(row: DesiredContentRow) -> Content:
    return Content(
        row.components,
        row.deployment,
        row.failure_policy,
        row.update_policy or UpdatePolicy(),
        row.validation_policy or ValidationPolicy(),
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
    change = update(DesiredRow).where(among(DesiredRow.device, devices))
    change = change if again else change.where(DesiredRow.content != content)
    change = change.values(revision=DesiredRow.revision + 1, content=content).returning(DesiredRow.device)
    changed = session.scalars(change, execution_options={"synchronize_session": "fetch"}).all()
    known = select(DesiredRow.device).where(DesiredRow.device == DeviceRow.name)
    new = select(DeviceRow.name, literal(1), literal(content)).where(among(DeviceRow.name, devices), ~known.exists())
    add = insert(DesiredRow).from_select(["device", "revision", "content"], new).returning(DesiredRow.device)
    return [*changed, *session.scalars(add).all()]
