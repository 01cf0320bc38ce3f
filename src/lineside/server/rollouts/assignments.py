"""From deployments to desired documents: a device should run what the deployments of all its groups name."""

from __future__ import annotations

from sqlalchemy.orm import Session

from lineside.contract.deployment import ComponentSpec, DeploymentPolicies
from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.builtin import builtin_digest, builtin_target, builtin_version
from lineside.server.components.service import Components
from lineside.server.deployments.store import DeploymentRow
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.rollouts import store
from lineside.server.rollouts.store import AssignmentRow


class Assignments:
    """Which deployment each device follows in each group."""

    def __init__(self, desired: DesiredDocuments, components: Components) -> None:
        self._desired, self._components = desired, components

    def assign(self, session: Session, device: str, group: str, deployment: int | None) -> int:
        """Let a device follow a deployment as a member of `group` (None: nothing); the revision it was given."""
        row = session.get(AssignmentRow, (device, group))
        if row is None:
            row = AssignmentRow(device=device, group=group)
            session.add(row)
        row.deployment = deployment
        session.flush()
        return self._write(session, device)

    def _write(self, session: Session, device: str) -> int:
        """Set the device's document: all its groups' components; where two name the same, the newer deployment wins."""
        numbers = sorted(row.deployment for row in store.assignments_of(session, device) if row.deployment is not None)
        merged: dict[str, DesiredComponent] = {}
        newest: DeploymentRow | None = None
        for number in numbers:
            newest = session.get_one(DeploymentRow, number)
            merged |= {one.name: one for one in self.wanted(session, newest)}
        return self._desired.set_desired(
            session,
            device,
            tuple(merged.values()),
            newest.id if newest else None,
            newest.policies() if newest else DeploymentPolicies(),
        )

    def wanted(self, session: Session, deployment: DeploymentRow) -> list[DesiredComponent]:
        """What a device that follows a deployment should run. Raises `trust.unknown_target`, `component.…`."""
        wanted = []
        for name, spec in deployment.components.items():
            version, target, digest = _builtin(name) or self._signed(session, name, spec, staging=deployment.staging)
            wanted.append(
                DesiredComponent(
                    name=name,
                    version=version,
                    target=target,
                    recipe_digest=digest,
                    configuration_update=spec.configuration_update,
                    run_with=spec.run_with,
                )
            )
        return wanted

    def _signed(self, session: Session, name: str, spec: ComponentSpec, *, staging: bool) -> tuple[str, str, str]:
        row = self._components.row(session, name, spec.component_version)
        target = (row.staging_target or row.target) if staging else row.target
        if target is None:
            raise LinesideError("trust.unknown_target", target=f"{name} {spec.component_version}")
        return row.version, target, row.recipe_digest


def _builtin(name: str) -> tuple[str, str, str] | None:
    """A component that comes with the agent, in the version that is spoken now; None for any other name."""
    version, target, digest = builtin_version(name), builtin_target(name), builtin_digest(name)
    return None if version is None or target is None or digest is None else (version, target, digest)
