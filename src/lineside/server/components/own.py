"""Components that people write themselves: their recipe as they wrote it comes in, the one devices get is stored.

A version never changes: the same content again is that version again, other content is refused. Signed by the
builders' role for the fleet, or staged for twins first; adding it once more for the fleet then releases it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.contract.component import (
    AddComponent,
    Artifact,
    Component,
    ComponentDetails,
    ComponentKind,
    ComponentUse,
    Signed,
)
from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.ids import is_digest
from lineside.contract.recipes.publishing import Published, published
from lineside.contract.trust import ROLE_PATHS
from lineside.server.access.caller import current
from lineside.server.components import store
from lineside.server.components.approvals import Approvals
from lineside.server.components.packaging import Packed
from lineside.server.components.service import Components
from lineside.server.components.store import ComponentRow
from lineside.server.devices.running import DeviceComponentRow
from lineside.server.devices.store import DeviceRow, wanting
from lineside.server.services import Core

_MOST_VERSION = 32  # what the table holds
_EVENTS = 1000
_USES = 200  # devices of a version that are shown one by one


class OwnComponents:
    """Adding and showing components; what takes a session takes part in the caller's transaction."""

    def __init__(self, core: Core, components: Components, approvals: Approvals) -> None:
        self._core, self._components, self._approvals = core, components, approvals

    def prepare(self, request: AddComponent) -> Published:
        """The recipe as devices get it. Takes its time with a large one: call it outside of a transaction.

        Raises `component.…`, `request.invalid`.
        """
        files = {one.name: self._there(one) for one in request.artifacts}
        ready = published(request.recipe.encode(), files)
        if len(ready.version) > _MOST_VERSION:
            raise LinesideError("component.too_long", what="version", text=ready.version, most=_MOST_VERSION)
        return ready

    def add(self, session: Session, ready: Published, *, stage: bool = False) -> Component:
        """Store a component version and have it signed. Raises `component.not_yours`, `component.exists`."""
        if any(row.kind == ComponentKind.MODEL.value for row in store.versions(session, ready.name)):
            raise LinesideError("component.not_yours", name=ready.name)
        known = store.component(session, ready.name, ready.version) is not None
        row = self._components.add(
            session,
            Packed(
                name=ready.name,
                version=ready.version,
                kind=ComponentKind.APP,
                recipe=ready.recipe,
                artifacts=ready.artifacts,
            ),
        )
        if not known:
            subject = f"{row.name} {row.version}"
            self._core.events.record(
                session, kind="component.added", subject=subject, message=f"{subject} was added.", actor=current().name
            )
            why = "for twins" if stage else "for the fleet"
            self._core.audit.record(
                session, "component.add", f"{row.name}:{row.version}", digest=row.recipe_digest, why=why
            )
        if stage:
            self._components.stage(session, [row.value()])
        else:
            self._approvals.sign(session, row)
        return row.value()

    def details(self, session: Session, name: str, version: str) -> ComponentDetails:
        """Everything about one version. Raises `component.unknown`, `component.unknown_version`."""
        row = self._components.row(session, name, version)
        recipe: dict[str, Any] = msgspec.json.decode(self._core.objects.get(row.recipe_digest))
        used, uses = _uses(session, row)
        return ComponentDetails(
            component=row.value(),
            recipe=recipe,
            signed=self._signed(session, row),
            used=used,
            uses=uses,
            approval=self._approvals.of_component(session, row),
        )

    def _there(self, artifact: Artifact) -> Artifact:
        """The artifact with its size as it is stored. Raises `component.artifact_missing` when nobody sent it."""
        if not is_digest(artifact.digest):
            raise LinesideError("request.invalid", why=f"{artifact.digest[:80]!r} is not a digest")
        try:
            size = self._core.objects.size(artifact.digest)
        except LinesideError as error:
            if error.kind is not Kind.MISSING:
                raise
            raise LinesideError("component.artifact_missing", name="this component", files=artifact.name) from error
        return msgspec.structs.replace(artifact, size=size)

    def _signed(self, session: Session, row: ComponentRow) -> tuple[Signed, ...]:
        happened = self._core.events.about(session, subject=f"{row.name} {row.version}", limit=_EVENTS)
        released = next((one for one in reversed(happened) if one.kind == "component.released"), None)
        found = []
        if row.target is not None:
            by, at = (released.actor, released.at) if released else ("", None)
            found.append(Signed(role=_role(row.target), target=row.target, by=by, at=at))
        if row.staging_target is not None:
            found.append(Signed(role=_role(row.staging_target), target=row.staging_target))
        return tuple(found)


def _role(target: str) -> str:
    folder = target.split("/", 1)[0]
    return next(role for role, pattern in ROLE_PATHS.items() if pattern.split("/", 1)[0] == folder)


def _uses(session: Session, row: ComponentRow) -> tuple[int, tuple[ComponentUse, ...]]:
    """On how many devices the version is wanted or runs, and the first of these by name."""

    def wants(components: tuple[DesiredComponent, ...]) -> bool:
        return any(one.recipe_digest == row.recipe_digest for one in components)

    wanted = wanting(session, wants)
    running = select(DeviceComponentRow.device).where(DeviceComponentRow.digest == row.recipe_digest)
    names = sorted(wanted.keys() | set(session.scalars(running)))
    uses = []
    for device in session.scalars(select(DeviceRow).where(DeviceRow.name.in_(names[:_USES])).order_by(DeviceRow.name)):
        runs = device.report.running if device.report else ()
        state = next((one.state.value for one in runs if one.recipe_digest == row.recipe_digest), None)
        uses.append(ComponentUse(device=device.name, wanted=device.name in wanted, state=state))
    return len(names), tuple(uses)
