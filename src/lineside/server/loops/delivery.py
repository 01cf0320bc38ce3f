"""Brings a trained model to its twin, and what the twin found out to the person who approves.

    candidate ─► (packed, staged, deployed to the twins) in_twin ─► awaiting_approval | twin_failed

One model is with the twins at a time, oldest first. With no twin, candidates wait. Each model's move is one
transaction; the files written before its commit are the same when they are written again.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from lineside.contract.approval import TwinOutcome, TwinReport
from lineside.contract.component import Component
from lineside.contract.deployment import ComponentSpec, DeploymentDocument
from lineside.contract.errors import LinesideError
from lineside.contract.ids import canonical
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.rollout import Rollout, RolloutState
from lineside.server.access.join_tokens import TWINS
from lineside.server.adapters.objects import ObjectStore
from lineside.server.components.service import Components
from lineside.server.database import Database
from lineside.server.deployments.service import Deployments
from lineside.server.devices.store import devices_in
from lineside.server.models.service import ModelsService
from lineside.server.rollouts.service import Rollouts
from lineside.server.rollouts.store import OPEN


class DeliveryLoop:
    """Moves models between training and approval."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        models: ModelsService,
        components: Components,
        deployments: Deployments,
        rollouts: Rollouts,
    ) -> None:
        self._database, self._objects = database, objects
        self._models, self._components = models, components
        self._deployments, self._rollouts = deployments, rollouts

    def step(self) -> None:
        """Take in the twins' answer, then give them the next model."""
        for model in self._find(self._answered):
            with self._database.write() as session:
                self._take_in(session, model)
        for model in self._find(self._next):
            try:
                with self._database.write() as session:
                    self._send(session, model)
            except LinesideError as error:
                if error.code != "component.exists":
                    raise
                with self._database.write() as session:  # a person took the name: the models behind it must not wait
                    why = error.message
                    self._models.move(session, model.name, model.version, ModelState.REJECTED, why, reason=why)

    def _find(self, what: Callable[[Session], list[ModelVersion]]) -> list[ModelVersion]:
        with self._database.read() as session:
            return what(session)

    def _answered(self, session: Session) -> list[ModelVersion]:
        in_twin = self._models.versions(session, ModelState.IN_TWIN)
        return [model for model in in_twin if self._twin_rollout(session, model).state not in OPEN]

    def _next(self, session: Session) -> list[ModelVersion]:
        if self._models.versions(session, ModelState.IN_TWIN) or not devices_in(session, TWINS):
            return []
        return self._models.versions(session, ModelState.CANDIDATE)[-1:]

    def _take_in(self, session: Session, model: ModelVersion) -> None:
        rollout = self._twin_rollout(session, model)
        good = rollout.state is RolloutState.SUCCEEDED
        why = f"{len(rollout.devices)} twin(s) run it and reproduce its golden inputs ({rollout.id})"
        self._models.move(
            session,
            model.name,
            model.version,
            ModelState.AWAITING_APPROVAL if good else ModelState.TWIN_FAILED,
            why if good else _why(rollout),
            twin_report=self._objects.put(canonical(self._report(session, model, rollout))),
        )

    def _report(self, session: Session, model: ModelVersion, rollout: Rollout) -> TwinReport:
        """What the twins saw, as it is kept and signed."""
        return TwinReport(
            model=model.label,
            digest=model.digest,
            rollout=rollout.id,
            state=rollout.state.value,
            finished_at=rollout.finished_at,
            recipes={one.name: one.recipe_digest for one in self._components.packaged(session, model)},
            twins=tuple(
                TwinOutcome(
                    device=one.device,
                    progress=one.progress.value,
                    error=one.error.code if one.error is not None else "",
                )
                for one in rollout.devices
            ),
        )

    def _send(self, session: Session, model: ModelVersion) -> None:
        staged = self._components.stage(session, self._components.package(session, model))
        deployment = self._deployments.create(session, _document(model, staged))
        why = f"the twins install it ({deployment.rollout})"
        self._models.move(session, model.name, model.version, ModelState.IN_TWIN, why, twin_rollout=deployment.rollout)

    def _twin_rollout(self, session: Session, model: ModelVersion) -> Rollout:
        return self._rollouts.show(session, model.twin_rollout or "")


def _document(model: ModelVersion, components: tuple[Component, ...]) -> DeploymentDocument:
    return DeploymentDocument(
        group_name=TWINS,
        deployment_name=f"twin test of {model.label}",
        components={one.name: ComponentSpec(component_version=one.version) for one in components},
    )


def _why(rollout: Rollout) -> str:
    errors = [f"{one.device}: {one.error.message}" for one in rollout.devices if one.error is not None]
    return f"{rollout.id} is {rollout.state.value}" + (f", {errors[0]}" if errors else "")
