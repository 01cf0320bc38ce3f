"""Starts what rules ask for, and brings every open delivery as far as it may go."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from lineside.contract.delivery import DeliveryRequest
from lineside.contract.errors import LinesideError
from lineside.server.clock import rfc3339
from lineside.server.database import Database
from lineside.server.deliveries import store
from lineside.server.deliveries.service import Deliveries
from lineside.server.deliveries.store import RuleRow
from lineside.server.services import Core

_REFUSALS = ("deployment.", "component.", "rollout.", "recipe.", "delivery.", "request.not_found")
_REMEMBER = timedelta(days=1)


class DeliveriesLoop:
    """Each action is a transaction of its own; what a kill cuts off, the next step finds undone."""

    def __init__(self, core: Core, deliveries: Deliveries) -> None:
        self._core, self._deliveries = core, deliveries

    @property
    def _database(self) -> Database:
        return self._core.database

    def step(self) -> None:
        """One round. What one delivery is refused does not hold the others; raises what one failed with at the end."""
        with self._database.read() as session:
            due, under_way = store.due(session), self._deliveries.open(session)
            old = session.query(store.HookMessageRow).filter(store.HookMessageRow.at < self._horizon()).first()
        for rule, what in due:
            with self._database.write() as session:
                self._by_rule(rule, what, session)
        failures: list[Exception] = []
        for delivery in [*under_way, *self._begun(due)]:
            try:
                self._bring_on(delivery)
            except Exception as error:  # noqa: BLE001 raised below
                failures.append(error)
        if old is not None:
            with self._database.write() as session:
                store.forget_messages(session, self._horizon())
        if failures:
            raise failures[0]

    def _begun(self, due: list[tuple[int, str]]) -> list[str]:
        if not due:
            return []
        with self._database.read() as session:
            return self._deliveries.open(session)[-len(due) :]

    def _by_rule(self, number: int, what: str, session: Session) -> None:
        rule = session.get_one(RuleRow, number)
        request = DeliveryRequest(group=rule.group, model=what, plan=rule.plan)
        self._deliveries.start(session, request, cause=f"{rule.id} of {rule.by}", rule=number)

    def _bring_on(self, delivery: str) -> None:
        while self._needs_step(delivery):
            try:
                with self._database.write() as session:
                    self._deliveries.step(session, delivery)
            except LinesideError as error:
                if not error.code.startswith(_REFUSALS):
                    raise
                with self._database.write() as session:
                    self._deliveries.fail(session, delivery, error.message.rstrip("."))

    def _needs_step(self, delivery: str) -> bool:
        with self._database.read() as session:
            return self._deliveries.needs_step(session, delivery)

    def _horizon(self) -> str:
        return rfc3339(self._core.clock.now() - _REMEMBER)
