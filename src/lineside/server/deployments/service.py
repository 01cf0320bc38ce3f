"""What is done with deployments: reading a document people wrote, and storing it."""

from __future__ import annotations

from typing import Protocol

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.deployment import ComponentSpec, Deployment, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.recipes.versions import is_exact
from lineside.server.access.join_tokens import TWINS
from lineside.server.clock import rfc3339
from lineside.server.components.service import Components
from lineside.server.components.store import ComponentRow
from lineside.server.deployments import model, store
from lineside.server.deployments.catalogue import Shelf
from lineside.server.deployments.resolution import check_builtin, resolve
from lineside.server.deployments.store import DeploymentRow
from lineside.server.services import Core


class Launcher(Protocol):
    """Who brings a stored deployment to its devices."""

    def launch(self, session: Session, deployment: Deployment) -> None:
        """Begin its rollout, in the same transaction."""
        ...

    def stopped(self, session: Session, deployment: Deployment) -> bool:
        """Whether its rollout failed or was aborted: the same document may be tried again."""
        ...


class ModelVersions(Protocol):
    """Who knows model versions."""

    def versions(self, session: Session) -> list[ModelVersion]:
        """All of them, newest first."""
        ...


_NEXT = {
    ModelState.AWAITING_APPROVAL: "lineside models approve {label}",
    ModelState.CANDIDATE: "Wait for its twin test: lineside models show {label}",
    ModelState.IN_TWIN: "Wait for its twin test: lineside models show {label}",
}
_LOOK = "See why, and deploy another version: lineside models show {label}"
_SIGN = "lineside components sign {row.name} {row.version} --key FILE"
_SHOW = "lineside components show {row.name} {row.version}"


class Deployments:
    """The deployments room's use cases; every method takes part in the caller's transaction."""

    def __init__(self, core: Core, components: Components, models: ModelVersions, launcher: Launcher) -> None:
        self._core, self._components, self._models, self._launcher = core, components, models, launcher

    def create(self, session: Session, document: DeploymentDocument, actor: str = "") -> Deployment:
        """Store a deployment and launch it. What the group's newest one already wants is that one again.

        Raises `deployment.…`, `component.unknown`, `component.unknown_version`, `request.invalid`.
        """
        group = model.group_of(document)
        model.check_policies(document)
        components = self._resolved(session, group, document)
        digest, newest = model.content_of(group, components, document), store.newest_of(session, group)
        if newest is not None and newest.digest == digest:
            there = newest.value()
            if not self._launcher.stopped(session, there):
                return there
        return self._store(session, group, components, document, digest, actor)

    def get(self, session: Session, id_: str) -> Deployment:
        """One deployment. Raises `request.not_found`."""
        row = store.deployment(session, id_)
        if row is None:
            raise LinesideError("request.not_found", what="deployment", name=id_)
        return row.value()

    def all(self, session: Session) -> list[Deployment]:
        """Every deployment, newest first."""
        return [row.value() for row in store.newest_first(session)]

    def _store(
        self,
        session: Session,
        group: str,
        components: dict[str, ComponentSpec],
        document: DeploymentDocument,
        digest: str,
        actor: str,
    ) -> Deployment:
        policies = document.deployment_policies
        row = DeploymentRow(
            group=group,
            name=document.deployment_name,
            components=components,
            failure_policy=policies.failure_handling_policy,
            update_policy=policies.component_update_policy,
            validation_policy=policies.configuration_validation_policy,
            digest=digest,
            created_at=rfc3339(self._core.clock.now()),
            staging=group == TWINS,
            asked={name: spec.component_version for name, spec in document.components.items()},
        )
        session.add(row)
        session.flush()
        named = ", ".join(f"{name} {spec.component_version}" for name, spec in sorted(components.items()))
        self._core.events.record(
            session,
            kind="deployment.created",
            subject=row.id,
            message=f"The group {group} should run {named or 'nothing'}.",
            actor=actor,
        )
        why = f"{document.deployment_name}: " if document.deployment_name else ""
        why += f"{group} should run {named or 'nothing'}"
        self._core.audit.record(session, "deployment.create", row.id, digest=digest, why=why)
        self._launcher.launch(session, row.value())
        return row.value()

    def _resolved(self, session: Session, group: str, document: DeploymentDocument) -> dict[str, ComponentSpec]:
        """The document's components and what they depend on, all of them released (staged is enough for twins)."""
        if group != TWINS and not store.group_exists(session, group):
            raise LinesideError("deployment.unknown_group", group=group)
        named: dict[str, ComponentSpec] = {}
        for name, spec in document.components.items():
            builtin = check_builtin(name, spec.component_version)
            if builtin is None:
                self._check_known(session, name, spec.component_version)
            named[name] = msgspec.structs.replace(spec, component_version=builtin or spec.component_version)
        return resolve(named, self._shelf(session, group))

    def _check_known(self, session: Session, name: str, version: str) -> None:
        """Raises `component.unknown`, `component.unknown_version`."""
        if is_exact(version) or not self._components.versions(session, name):
            self._components.row(session, name, version)

    def _shelf(self, session: Session, group: str) -> Shelf:
        if group == TWINS:
            return Shelf(session, self._components, staging=True)
        return Shelf(session, self._components, check=self._check_signed)

    def _check_signed(self, session: Session, row: ComponentRow) -> None:
        """Raises `deployment.not_released` when it is not signed for the fleet, `deployment.void` when what was signed
        is no longer what is here."""
        if row.target is None:
            raise self._not_released(session, row)
        why = self._components.why_void(session, row, self._model(session, row.model))
        if why:
            command = f"lineside models show {row.model}" if row.model else _SHOW.format(row=row)
            raise LinesideError("deployment.void", name=row.name, version=row.version, why=why, command=command)

    def _not_released(self, session: Session, row: ComponentRow) -> LinesideError:
        """Say in which state the model is that the component waits for, and what to do."""
        label = row.model or self._components.tested_with(session, row.name, row.version)
        about = self._model(session, label)
        state = f"model {label} is {about.state.value}" if about else "no model needs it"
        if row.model is None and (about is None or about.state is ModelState.APPROVED):
            state, command = "its builders have not signed it", _SIGN.format(row=row)
        else:
            command = (_NEXT.get(about.state, _LOOK) if about else "lineside models list").format(label=label)
        return LinesideError(
            "deployment.not_released", name=row.name, version=row.version, state=state, command=command
        )

    def _model(self, session: Session, label: str | None) -> ModelVersion | None:
        return next((one for one in self._models.versions(session) if one.label == label), None) if label else None
