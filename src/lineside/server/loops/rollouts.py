"""Advances rollouts: takes in what devices reported, opens waves, judges gates, sends devices back."""

from __future__ import annotations

from lineside.contract.errors import LinesideError
from lineside.server.database import Database
from lineside.server.rollouts import store
from lineside.server.rollouts.service import Rollouts

_MOST_STEPS = 50
"""Of one rollout in a row, so that a large one does not keep the others waiting."""


class RolloutLoop:
    """Each action is a transaction of its own; what a kill cuts off, the next step finds undone."""

    def __init__(self, database: Database, rollouts: Rollouts) -> None:
        self._database, self._rollouts = database, rollouts

    def step(self) -> None:
        """Bring every open rollout, and every device that joined a group, as far as evidence allows."""
        with self._database.read() as session:
            open_now = [row.id for row in store.open_rollouts(session)]
        for rollout in open_now:
            try:
                self._advance(rollout)
            except LinesideError as error:  # a component that is no longer signed, say: the others go on
                with self._database.write() as session:
                    self._rollouts.cannot_go_on(session, rollout, error)
        with self._database.read() as session:
            newcomers = self._rollouts.newcomers(session)
        if newcomers:
            with self._database.write() as session:
                self._rollouts.follow(session)

    def _advance(self, rollout: str) -> None:
        for _ in range(_MOST_STEPS):
            with self._database.read() as session:
                if not self._rollouts.needs_step(session, rollout):
                    return
            with self._database.write() as session:
                self._rollouts.step(session, rollout)
