"""Rules: whenever a version of a model is approved, it is delivered to a group."""

from __future__ import annotations

from sqlalchemy.orm import Session

from lineside.contract.delivery import DeliveryRule, RuleRequest
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.server.access.caller import current
from lineside.server.clock import rfc3339
from lineside.server.deliveries import store
from lineside.server.deliveries.service import Deliveries
from lineside.server.deliveries.store import RuleRow
from lineside.server.services import Core


class Rules:
    """The rules; every method takes part in the caller's transaction."""

    def __init__(self, core: Core, deliveries: Deliveries) -> None:
        self._core, self._deliveries = core, deliveries

    def all(self, session: Session) -> list[DeliveryRule]:
        """All rules, oldest first."""
        return [row.value() for row in store.rules(session)]

    def create(self, session: Session, request: RuleRequest) -> DeliveryRule:
        """Add a rule, or give the one for this model and group another plan; it begins with the next approval.

        Raises `delivery.unclear`, `deployment.unknown_group`, `rollout.plan_invalid`.
        """
        if not is_name(request.model):
            raise LinesideError("delivery.unclear", why=f"{request.model!r} is not the name of a model")
        self._deliveries.check_goal(session, request.group, request.plan)
        there = (row for row in store.rules(session) if (row.model, row.group) == (request.model, request.group))
        row = next(there, None)
        if row is None:
            now = rfc3339(self._core.clock.now())
            row = RuleRow(model=request.model, group=request.group, created_at=now, by=current().name)
            session.add(row)
        row.plan = request.plan
        session.flush()
        said = f"approved versions of {row.model} are delivered to {row.group}"
        self._core.audit.record(session, "delivery.rule", row.id, why=said)
        self._core.events.record(session, kind="delivery.rule", subject=row.id, message=f"{row.id}: {said}.")
        return row.value()

    def remove(self, session: Session, id_: str) -> DeliveryRule:
        """Take a rule away; what it has started goes on. Raises `request.not_found`."""
        row = session.get(RuleRow, store.number_of(id_, "rule"))
        if row is None:
            raise LinesideError("request.not_found", what="rule", name=id_)
        gone = row.value()
        session.delete(row)
        said = f"approved versions of {gone.model} are no longer delivered to {gone.group}"
        self._core.audit.record(session, "delivery.rule", gone.id, why=said)
        self._core.events.record(session, kind="delivery.rule", subject=gone.id, message=f"{gone.id}: {said}.")
        return gone
