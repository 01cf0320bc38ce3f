"""From deployments to desired documents: a device should run what the deployments of all its groups come to.

Devices that follow the same deployments on the same platform get one content, which is worked out once. Where what a
device follows does not go together, it keeps the document it has, and an event and a condition say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Integer, literal, select
from sqlalchemy.orm import Session

from lineside.contract.deployment import ComponentSpec, DeploymentPolicies
from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.builtin import builtin_digest, builtin_target, builtin_version, is_builtin
from lineside.server.clock import rfc3339
from lineside.server.components.service import Components
from lineside.server.database.among import among
from lineside.server.database.upserts import upsert_from
from lineside.server.deployments.catalogue import Shelf
from lineside.server.deployments.platforms import Platform, fits
from lineside.server.deployments.store import DeploymentRow
from lineside.server.deployments.union import CONFLICT, Wish, unite
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.store import DesiredRow, DeviceRow
from lineside.server.rollouts import conflicts
from lineside.server.rollouts.store import AssignmentRow
from lineside.server.services import Core

PLATFORM = "deployment.platform"
CANNOT = (CONFLICT, PLATFORM)
"""Why a device keeps the document it has."""

_NAMED = 5


class Follows(NamedTuple):
    """What decides a device's document: the deployments it follows, oldest first, and what it runs on."""

    deployments: tuple[int, ...]
    platform: Platform


class Content(NamedTuple):
    """A desired document but for whose it is."""

    components: tuple[DesiredComponent, ...]
    deployment: str | None
    policies: DeploymentPolicies


class Assignments:
    """Which deployment each device follows in each group."""

    def __init__(self, core: Core, components: Components) -> None:
        self._core, self._components = core, components
        self._desired = DesiredDocuments(core)

    def assign(self, session: Session, device: str, group: str, deployment: int | None) -> int:
        """As `assign_many`, one device; the revision of its document afterwards."""
        self.assign_many(session, [device], group, deployment)
        return session.scalar(select(DesiredRow.revision).where(DesiredRow.device == device)) or 0

    def assign_many(
        self, session: Session, devices: Sequence[str], group: str, deployment: int | None, *, again: bool = False
    ) -> int:
        """Let devices follow a deployment as members of `group` (None: nothing). How many got another document.

        With `again` all of them get a new revision, so that what failed is tried once more. Those whose deployments
        do not go together keep what they have: see `conflicts`. Raises `trust.unknown_target`, `component.…`.
        """
        given: tuple[Any, ...] = (DeviceRow.name, literal(group), literal(deployment, Integer))
        rows = select(*given).where(among(DeviceRow.name, devices))
        upsert_from(session, AssignmentRow, ("device", "group", "deployment"), rows)
        changed = 0
        for follows, members in classes_of(session, devices).items():
            try:
                content = self._content(session, follows)
            except LinesideError as error:
                if error.code not in CANNOT:
                    raise
                self._cannot(session, members, error)
                continue
            conflicts.settled(session, members)
            components, named, policies = content
            changed += self._desired.set_many(session, members, components, named, policies, again=again)
        return changed

    def wanted(self, session: Session, deployment: DeploymentRow) -> list[DesiredComponent]:
        """What a device should run that follows this deployment alone. Raises `trust.unknown_target`, `component.…`."""
        return list(self._signed(session, deployment.components, staging=deployment.staging))

    def united(
        self, session: Session, wishes: Sequence[Wish], platform: Platform, *, staging: bool = False
    ) -> dict[str, ComponentSpec]:
        """What wishes come to on a platform. Raises `deployment.conflict`, `deployment.platform`."""
        specs = unite(wishes, Shelf(session, self._components, staging=staging))
        self._check_platform(session, specs, platform)
        return specs

    def _content(self, session: Session, follows: Follows) -> Content:
        rows = [session.get_one(DeploymentRow, number) for number in follows.deployments]
        if not rows:
            return Content((), None, DeploymentPolicies())
        staging = any(row.staging for row in rows)
        specs = self.united(session, [row.wish() for row in rows], follows.platform, staging=staging)
        wanted = tuple(self._signed(session, specs, staging=staging))
        return Content(wanted, rows[-1].id, rows[-1].policies())

    def _check_platform(self, session: Session, specs: Mapping[str, ComponentSpec], platform: Platform) -> None:
        for name, spec in specs.items():
            version = spec.component_version
            if not is_builtin(name) and not fits(self._components.recipe(session, name, version), platform):
                raise LinesideError(
                    PLATFORM, name=name, version=version, platform=platform, devices="a device that joined later"
                )

    def _signed(
        self, session: Session, specs: Mapping[str, ComponentSpec], *, staging: bool
    ) -> Iterator[DesiredComponent]:
        for name, spec in specs.items():
            version, target, digest = _builtin(name) or self._target(session, name, spec, staging=staging)
            yield DesiredComponent(
                name=name,
                version=version,
                target=target,
                recipe_digest=digest,
                configuration_update=spec.configuration_update,
                run_with=spec.run_with,
            )

    def _target(self, session: Session, name: str, spec: ComponentSpec, *, staging: bool) -> tuple[str, str, str]:
        row = self._components.row(session, name, spec.component_version)
        target = (row.staging_target or row.target) if staging else row.target
        if target is None:
            raise LinesideError("trust.unknown_target", target=f"{name} {spec.component_version}")
        return row.version, target, row.recipe_digest

    def _cannot(self, session: Session, devices: Sequence[str], error: LinesideError) -> None:
        """Keep what is wrong, and say it once of each device."""
        new = conflicts.note(session, devices, error.report(), rfc3339(self._core.clock.now()))
        if not new:
            return
        who = ", ".join(new[:_NAMED]) + (f" and {len(new) - _NAMED} more" if len(new) > _NAMED else "")
        keep = "keeps what it has" if len(new) == 1 else "keep what they have"
        self._core.events.record(
            session,
            kind="deployment.conflict",
            subject=new[0] if len(new) == 1 else f"{len(new)} devices",
            message=f"{who} {keep}: {error.message}",
            error=error.report(),
        )


def classes_of(session: Session, devices: Sequence[str], but: str | None = None) -> dict[Follows, list[str]]:
    """The devices by what they follow in all their groups (but one, if given), and by platform."""
    query = select(AssignmentRow.device, AssignmentRow.deployment)
    query = query.where(among(AssignmentRow.device, devices), AssignmentRow.deployment.is_not(None))
    query = query if but is None else query.where(AssignmentRow.group != but)
    numbers: dict[str, tuple[int, ...]] = {}
    for device, number in session.execute(query.order_by(AssignmentRow.deployment)).all():
        numbers[device] = (*numbers.get(device, ()), number or 0)
    platforms = select(DeviceRow.name, DeviceRow.os, DeviceRow.architecture).where(among(DeviceRow.name, devices))
    classes: dict[tuple[tuple[int, ...], str, str], list[str]] = {}
    for device, system, architecture in session.execute(platforms).all():
        classes.setdefault((numbers.get(device, ()), system, architecture), []).append(device)
    return {
        Follows(followed, Platform(system, architecture)): members
        for (followed, system, architecture), members in classes.items()
    }


def _builtin(name: str) -> tuple[str, str, str] | None:
    """A component that comes with the agent, in the version that is spoken now; None for any other name."""
    version, target, digest = builtin_version(name), builtin_target(name), builtin_digest(name)
    return None if version is None or target is None or digest is None else (version, target, digest)
