"""Advances rollouts: takes in what devices reported, opens waves, judges gates, sends devices back."""

from __future__ import annotations

import time

from lineside.contract.errors import LinesideError
from lineside.server.database import Database
from lineside.server.rollouts import store
from lineside.server.rollouts.observing import Seen
from lineside.server.rollouts.service import Rollouts

_MOST_STEPS = 50
"""Of one rollout in a row, so that a large one does not keep the others waiting."""

_TURN = 0.005
"""Seconds between two batches of one look, in which whoever waits to write gets a turn."""


class RolloutLoop:
    """Each action is a transaction of its own; what a kill cuts off, the next step finds undone.

    Looking at ten thousand devices takes tens of milliseconds. With a `share`, no more than that part of the time goes
    into looking at one rollout: it is left alone for a while, unless a person does something with it.
    """

    def __init__(self, database: Database, rollouts: Rollouts, share: float | None = None) -> None:
        self._database, self._rollouts, self._share = database, rollouts, share
        self._rests: dict[tuple[str, int], float] = {}  # a rollout and its revision ► until when

    def step(self) -> None:
        """Bring every open rollout, and every device that joined a group, as far as evidence allows.

        Raises what one of them failed with, after all others had their turn.
        """
        with self._database.read() as session:
            open_now = {(row.id, row.revision) for row in store.open_rollouts(session)}
        self._rests = {one: until for one, until in self._rests.items() if until > time.monotonic()}
        failures: list[Exception] = []
        for rollout, revision in sorted(open_now):
            if (rollout, revision) in self._rests:
                continue
            try:
                self._advance(rollout, revision)
            except LinesideError as error:  # a component that is no longer signed, say: the others go on
                with self._database.write() as session:
                    self._rollouts.cannot_go_on(session, rollout, error)
            except Exception as error:  # noqa: BLE001 raised below
                failures.append(error)
        with self._database.read() as session:
            newcomers = self._rollouts.newcomers(session)
        if newcomers:
            with self._database.write() as session:
                self._rollouts.follow(session)
        if failures:
            raise failures[0]

    def _advance(self, rollout: str, revision: int) -> None:
        seen: Seen | None = None
        for number in range(_MOST_STEPS):
            began = time.monotonic()
            if seen is not None:
                time.sleep(_TURN)
            else:
                with self._database.read() as session:
                    seen = self._rollouts.needs_step(session, rollout)
            if seen is None:
                took = time.monotonic() - began
                if self._share is not None and not number:
                    self._rests[(rollout, revision)] = began + took / self._share
                return
            with self._database.write() as session:
                seen = self._rollouts.step(session, rollout, seen)
