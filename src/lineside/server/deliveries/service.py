"""What is done with deliveries: start one, bring it on by one action, cancel it; and the rules that start them.

Every change is one transaction: the row (compare-and-set on its revision), its history row and the event, and with the
last stage the deployment and its rollout.
"""

from __future__ import annotations

from typing import Protocol

from sqlalchemy.orm import Session

from lineside.contract.approval import Approval
from lineside.contract.delivery import (
    DELIVERY_MOVES,
    OPEN,
    Delivery,
    DeliveryPage,
    DeliveryRequest,
    DeliveryState,
)
from lineside.contract.errors import LinesideError
from lineside.contract.model import ModelState, ModelVersion
from lineside.contract.moves import check_move
from lineside.contract.rollout import RolloutPlan, RolloutState
from lineside.contract.rollout_rules import check_plan
from lineside.contract.twin import TWINS
from lineside.server.access.caller import SYSTEM, current
from lineside.server.clock import rfc3339
from lineside.server.components.service import Components
from lineside.server.deliveries import content, machine, store
from lineside.server.deliveries.store import DeliveryMoveRow, DeliveryRow
from lineside.server.deployments import store as deployments_store
from lineside.server.deployments.service import Deployments
from lineside.server.devices.store import devices_in
from lineside.server.models.service import ModelsService
from lineside.server.rollouts.service import Rollouts
from lineside.server.services import Core

_MAY_ABORT = frozenset({RolloutState.PENDING, RolloutState.RUNNING, RolloutState.PAUSED})


class Approvals(Protocol):
    """Who knows how far an approval is."""

    def of_model(self, session: Session, model: ModelVersion) -> Approval | None:
        """The approval of a model version."""
        ...


class Deliveries:
    """The deliveries room's use cases; every method takes part in the caller's transaction."""

    def __init__(
        self, core: Core, models: ModelsService, components: Components, deployments: Deployments, rollouts: Rollouts
    ) -> None:
        self._core, self._models, self._components = core, models, components
        self._deployments, self._rollouts = deployments, rollouts
        self.approvals: Approvals | None = None  # comes from the components room by `app.py`

    # --- starting and stopping --------------------------------------------------------------------------------------

    def start(
        self, session: Session, request: DeliveryRequest, *, cause: str = "", rule: int | None = None
    ) -> Delivery:
        """Begin a delivery; one of the same to the same group that is under way is that one again, one of another
        version of the same is superseded. Raises `delivery.…`, `deployment.unknown_group`, `rollout.plan_invalid`,
        `request.not_found`, `component.…`."""
        what = content.named(session, request, self._models, self._components)
        open_now = [row for row in store.open_deliveries(session) if row.group == request.group]
        there = self._there(open_now, what, request.plan, rule)
        if there is not None:
            return self._value(session, there)
        if rule is None:  # what a rule asks for was checked when it was made; what is wrong now, its delivery will say
            self.check_goal(session, request.group, request.plan)
        model = request.model is not None
        row = DeliveryRow(
            what=what,
            model=model,
            group=request.group,
            state=DeliveryState.PACKAGING if model else DeliveryState.APPROVAL,
            note="It has just begun.",
            cause=cause or (current().name if current() is not SYSTEM else "control plane"),
            rule=rule,
            plan=request.plan,
            created_at=self._now(),
        )
        session.add(row)
        session.flush()
        for older in open_now:
            if _name(older) == _name(row) and older.state is not DeliveryState.ROLLOUT:
                self._move(session, older, DeliveryState.SUPERSEDED, f"{row.id} brings {what}")
        self._event(session, row, "started", f"{row.id} brings {what} to the group {row.group} ({row.cause}).")
        self._core.audit.record(session, "delivery.start", row.id, why=f"{what} to {row.group}")
        return self._value(session, row)

    def _there(
        self, open_now: list[DeliveryRow], what: str, plan: RolloutPlan | None, rule: int | None
    ) -> DeliveryRow | None:
        """The same, if it is under way. A rule is content with one that somebody started by hand."""
        for row in open_now:
            if row.what == what and rule is not None and row.rule is None:
                row.rule = rule
                return row
            if (row.what, row.plan) == (what, plan) and rule is None:
                return row
        return None

    def cancel(self, session: Session, id_: str) -> Delivery:
        """Stop a delivery where it is, its rollout too. Raises `request.not_found`, `delivery.ended`."""
        row = self._row(session, id_)
        if row.state not in OPEN:
            raise LinesideError("delivery.ended", delivery=row.id, state=row.state.value)
        if row.rollout is not None and self._rollouts.show(session, row.rollout).state in _MAY_ABORT:
            self._rollouts.abort(session, row.rollout)
        who = current().name
        self._move(session, row, DeliveryState.CANCELLED, f"{who} cancelled it")
        self._core.audit.record(session, "delivery.cancel", row.id, why=f"{row.what} to {row.group}")
        return self._value(session, row)

    def check_goal(self, session: Session, group: str, plan: RolloutPlan | None) -> None:
        """Raises `deployment.unknown_group`, `rollout.plan_invalid`."""
        if plan is not None:
            check_plan(plan, at="plan")
        if group == TWINS or not deployments_store.group_exists(session, group):
            raise LinesideError("deployment.unknown_group", group=group)

    # --- looking ----------------------------------------------------------------------------------------------------

    def show(self, session: Session, id_: str) -> Delivery:
        """One delivery with its history. Raises `request.not_found`."""
        return self._value(session, self._row(session, id_))

    def page(self, session: Session, before: str | None = None, limit: int = 100) -> DeliveryPage:
        """Deliveries, newest first, older than the one with the id `before`; without their history."""
        number = None if before is None else store.number_of(before, "delivery")
        rows, total = store.newest_first(session, number, limit + 1)
        more = rows[limit - 1].id if len(rows) > limit else None
        return DeliveryPage(deliveries=tuple(row.value() for row in rows[:limit]), total=total, next=more)

    # --- bringing it on ---------------------------------------------------------------------------------------------

    def open(self, session: Session) -> list[str]:
        """The ids of all that have something left to do, oldest first."""
        return [row.id for row in store.open_deliveries(session)]

    def needs_step(self, session: Session, id_: str) -> bool:
        """Whether `step` would change anything; reads only."""
        row = self._row(session, id_)
        if row.state not in OPEN:
            return False
        action = machine.advance(self._look(session, row))
        return not isinstance(action, machine.Wait) or action.note != row.note

    def step(self, session: Session, id_: str) -> None:
        """Do the one next thing."""
        row = self._row(session, id_)
        if row.state not in OPEN:
            return
        match machine.advance(self._look(session, row)):
            case machine.Move(wanted, why):
                self._move(session, row, wanted, why)
            case machine.Deploy():
                self._deploy(session, row)
            case machine.Wait(note):
                row.note = note

    def fail(self, session: Session, id_: str, why: str) -> None:
        """It cannot go on, for a reason that waiting does not mend."""
        row = self._row(session, id_)
        if row.state in OPEN:
            self._move(session, row, DeliveryState.FAILED, why)

    def _look(self, session: Session, row: DeliveryRow) -> machine.Seen:
        rollout = self._rollouts.show(session, row.rollout) if row.rollout else None
        model = self._model_of(session, row)
        released = row.state is not DeliveryState.ROLLOUT and self._released(session, row)
        approval = None
        if model is not None and model.state is ModelState.AWAITING_APPROVAL and self.approvals is not None:
            approval = self.approvals.of_model(session, model)
        return machine.Seen(
            what=row.what,
            state=row.state,
            model=model.state if model else None,
            why=model.reason if model else "",
            twins=model is None or model.state is not ModelState.CANDIDATE or bool(devices_in(session, TWINS)),
            approval=approval,
            released=released,
            rollout=rollout.state if rollout else None,
            rollout_note=rollout.note if rollout else "",
        )

    def _released(self, session: Session, row: DeliveryRow) -> bool:
        rows = content.brought(session, row.what, self._models, self._components)
        return bool(rows) and all(one.target is not None for one in rows)

    def _model_of(self, session: Session, row: DeliveryRow) -> ModelVersion | None:
        if not row.model:
            return None
        name, _, version = row.what.partition(":")
        return self._models.find(session, name, int(version))

    def _deploy(self, session: Session, row: DeliveryRow) -> None:
        followed = self._deployments.drafting.followed(session, row.group)
        brought = content.brought(session, row.what, self._models, self._components)
        wanted = content.document(row.what, row.group, brought, followed, row.plan)
        deployment = self._deployments.create(session, wanted)
        row.deployment, row.rollout = deployment.id, deployment.rollout
        self._move(session, row, DeliveryState.ROLLOUT, f"{row.what} may go to {row.group}: {deployment.rollout}")

    def _move(self, session: Session, row: DeliveryRow, wanted: DeliveryState, why: str) -> None:
        current_state = row.state
        row.state = check_move("delivery", DELIVERY_MOVES, current_state, wanted)
        row.note = (why if why.startswith(row.what) else why[:1].upper() + why[1:]) + "."
        if wanted not in OPEN:
            row.finished_at = self._now()
        session.add(
            DeliveryMoveRow(
                delivery=row.number, at=self._now(), current=current_state.value, wanted=wanted.value, why=why
            )
        )
        self._event(session, row, wanted.value, f"{row.id} of {row.what} to {row.group}: {wanted.value}; {why}.")
        session.flush()

    def _event(self, session: Session, row: DeliveryRow, verb: str, message: str) -> None:
        self._core.events.record(session, kind=f"delivery.{verb}", subject=row.id, message=message)

    def _value(self, session: Session, row: DeliveryRow) -> Delivery:
        return row.value(store.history(session, row.number))

    def _row(self, session: Session, id_: str) -> DeliveryRow:
        row = session.get(DeliveryRow, store.number_of(id_, "delivery"))
        if row is None:
            raise LinesideError("request.not_found", what="delivery", name=id_)
        return row

    def _now(self) -> str:
        return rfc3339(self._core.clock.now())


def _name(row: DeliveryRow) -> str:
    """Of which model or component it brings a version."""
    return row.what.partition(":")[0] if row.model else row.what.rpartition(" ")[0]
