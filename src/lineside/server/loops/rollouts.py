"""Advances rollouts: takes in what devices reported, opens waves, judges gates, sends devices back."""

from __future__ import annotations

from lineside.server.database import Database
from lineside.server.rollouts import store
from lineside.server.rollouts.service import Rollouts


class RolloutLoop:
    """Each action is a transaction of its own; what a kill cuts off, the next step finds undone."""

    def __init__(self, database: Database, rollouts: Rollouts) -> None:
        self._database, self._rollouts = database, rollouts

    def step(self) -> None:
        """Bring every open rollout, and every device that joined a group, as far as evidence allows."""
        with self._database.read() as session:
            open_now = [row.id for row in store.open_rollouts(session)]
        for rollout in open_now:
            while self._needs(rollout):
                with self._database.write() as session:
                    self._rollouts.step(session, rollout)
        with self._database.read() as session:
            newcomers = self._rollouts.newcomers(session)
        if newcomers:
            with self._database.write() as session:
                self._rollouts.follow(session)

    def _needs(self, rollout: str) -> bool:
        with self._database.read() as session:
            return self._rollouts.needs_step(session, rollout)
