"""What is done with deployments: storing what a document comes to, and launching it."""

from __future__ import annotations

from typing import Protocol

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.deployment import Deployment, DeploymentDocument, DeploymentPage
from lineside.contract.errors import LinesideError
from lineside.contract.rollout import RolloutPlan
from lineside.server.clock import rfc3339
from lineside.server.components.service import Components
from lineside.server.deployments import store
from lineside.server.deployments.drafting import Draft, Drafting, Ends, ModelVersions, components_in_words
from lineside.server.deployments.store import DeploymentRow
from lineside.server.services import Core


class Launcher(Ends, Protocol):
    """Who brings a stored deployment to its devices."""

    def launch(self, session: Session, deployment: Deployment) -> None:
        """Begin its rollout, in the same transaction."""
        ...


class Deployments:
    """The deployments room's use cases; every method takes part in the caller's transaction."""

    def __init__(self, core: Core, components: Components, models: ModelVersions, launcher: Launcher) -> None:
        self._core, self._launcher = core, launcher
        self.drafting = Drafting(components, models, launcher)

    def create(self, session: Session, document: DeploymentDocument, actor: str = "") -> Deployment:
        """Store a deployment and launch it. What the group's newest one already wants is that one again.

        Raises `deployment.…`, `rollout.plan_invalid`, `component.…`, `recipe.version`.
        """
        draft = self.drafting.draft(session, document)
        there = self.same(session, draft)
        if there is None:
            self.drafting.check(session, draft)
            there = self._store(session, draft, actor)
        return msgspec.structs.replace(there, notes=draft.notes)

    def same(self, session: Session, draft: Draft) -> Deployment | None:
        """The group's newest deployment, if that is what a draft comes to, and it was not stopped."""
        newest = store.newest_of(session, draft.group)
        if newest is None or newest.digest != draft.digest:
            return None
        there = newest.value()
        return None if self._launcher.stopped(session, there) else there

    def get(self, session: Session, id_: str) -> Deployment:
        """One deployment. Raises `request.not_found`."""
        row = store.deployment(session, id_)
        if row is None:
            raise LinesideError("request.not_found", what="deployment", name=id_)
        return row.value()

    def page(
        self, session: Session, group: str | None = None, before: str | None = None, limit: int = 100
    ) -> DeploymentPage:
        """Deployments, newest first, of one group or of all, older than the one with the id `before`."""
        number = None if before is None else store.number_of(before)
        rows, total = store.newest_first(session, group, number, limit + 1)
        more = rows[limit - 1].id if len(rows) > limit else None
        return DeploymentPage(deployments=tuple(row.value() for row in rows[:limit]), total=total, next=more)

    def _store(self, session: Session, draft: Draft, actor: str) -> Deployment:
        policies, group = draft.document.deployment_policies, draft.group
        row = DeploymentRow(
            group=group,
            name=draft.document.deployment_name,
            components=draft.components,
            failure_policy=policies.failure_handling_policy,
            update_policy=policies.component_update_policy,
            validation_policy=policies.configuration_validation_policy,
            digest=draft.digest,
            created_at=rfc3339(self._core.clock.now()),
            staging=draft.staging,
            asked=draft.asked,
            plan=None if draft.plan == RolloutPlan() else draft.plan,
        )
        session.add(row)
        session.flush()
        named = components_in_words(draft.components)
        self._core.events.record(
            session,
            kind="deployment.created",
            subject=row.id,
            message=f"The group {group} should run {named}.",
            actor=actor,
        )
        why = f"{row.name}: " if row.name else ""
        why += f"{group} should run {named}"
        self._core.audit.record(session, "deployment.create", row.id, digest=draft.digest, why=why)
        self._launcher.launch(session, row.value())
        return row.value()
