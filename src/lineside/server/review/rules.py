"""Rules: a dataset takes what was reviewed whenever enough waits for it."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import select

from lineside.contract.counted import counted
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.review import MakeDataset, ReviewRule
from lineside.server.access.caller import Caller, acting
from lineside.server.datasets.series import FIELD
from lineside.server.review.making import MOST, Making
from lineside.server.review.store import RuleRow
from lineside.server.services import Core


class Rules:
    """The rules."""

    def __init__(self, core: Core, making: Making) -> None:
        self._core, self._making = core, making

    def all(self) -> list[ReviewRule]:
        """All of them, by name."""
        with self._core.database.read() as session:
            return [row.rule for row in session.scalars(select(RuleRow).order_by(RuleRow.name))]

    def apply(self, rule: ReviewRule) -> ReviewRule:
        """Make a rule, or change it; the same again changes nothing. Raises `request.invalid`."""
        if not is_name(rule.name) or rule.name.endswith(FIELD):
            raise LinesideError("request.invalid", why=f"{rule.name!r} cannot name a dataset that grows by reviews")
        if not 1 <= rule.reviewed <= MOST or not 0 <= rule.field_share < 1:
            raise LinesideError("request.invalid", why=f"reviewed lies in 1..{MOST}, field_share in 0..1")
        rule = replace(rule, problem="")
        with self._core.database.write() as session:
            row = session.get(RuleRow, rule.name)
            if row is not None and row.rule == rule:
                return rule
            if row is None:
                session.add(RuleRow(name=rule.name, rule=rule))
            else:
                row.rule = rule
            taken = counted(rule.reviewed, "review")
            said = f"{rule.name} takes {taken} at a time, {rule.field_share:.0%} to its field set"
            self._core.audit.record(session, "review.rule", rule.name, why=said)
            self._core.events.record(session, kind="review.rule", subject=rule.name, message=f"The dataset {said}.")
        return rule

    def remove(self, name: str) -> ReviewRule:
        """The dataset takes nothing of itself any more. Raises `request.not_found`."""
        with self._core.database.write() as session:
            row = session.get(RuleRow, name)
            if row is None:
                raise LinesideError("request.not_found", what="rule of reviews", name=name)
            gone = row.rule
            session.delete(row)
            said = f"{name} takes no reviews of itself any more"
            self._core.audit.record(session, "review.rule", name, why=said)
            self._core.events.record(session, kind="review.rule", subject=name, message=f"The dataset {said}.")
        return gone

    def step(self) -> None:
        """Make the versions that are due. Safe to repeat; why one could not be made is kept with its rule."""
        for rule in self.all():
            if self._making.waiting(rule.model, rule.reviewed) < rule.reviewed:
                continue
            wanted = MakeDataset(name=rule.name, field_share=rule.field_share, model=rule.model)
            problem = ""
            try:
                with acting(Caller(name=f"rule {rule.name}", by="loop")):
                    self._making.make(wanted)
            except LinesideError as error:
                problem = error.message
            if problem != rule.problem:
                self._keep(rule.name, problem)

    def _keep(self, name: str, problem: str) -> None:
        with self._core.database.write() as session:
            row = session.get(RuleRow, name)
            if row is not None:
                row.rule = replace(row.rule, problem=problem)
