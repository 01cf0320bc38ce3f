"""What is done with rollouts: launch, step, pause, resume, abort, roll back, try again; and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy.orm import Session

from lineside.contract.counted import counted
from lineside.contract.deployment import Deployment
from lineside.contract.errors import LinesideError
from lineside.contract.moves import check_move
from lineside.contract.rollout import (
    OPEN,
    ROLLOUT_MOVES,
    DeviceProgress,
    Rollout,
    RolloutDevicePage,
    RolloutPage,
    RolloutPlan,
    RolloutState,
)
from lineside.contract.rollout_rules import wave_count
from lineside.server.access.caller import current
from lineside.server.clock import rfc3339
from lineside.server.components.service import Components
from lineside.server.deployments.store import number_of
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.rollouts import following, machine, store
from lineside.server.rollouts.assignments import Assignments
from lineside.server.rollouts.evidence import Evidence, NoEvidence
from lineside.server.rollouts.observing import Seen
from lineside.server.rollouts.stepping import Stepping
from lineside.server.rollouts.store import RolloutRow
from lineside.server.rollouts.telling import Telling
from lineside.server.services import Core

_ENDED = (RolloutState.FAILED, RolloutState.ABORTED)
_LEADING = (RolloutState.PENDING, RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.SUCCEEDED)
_VERBS = {
    RolloutState.PENDING: ("abort",),
    RolloutState.RUNNING: ("pause", "retry", "rollback", "abort"),
    RolloutState.PAUSED: ("resume", "retry", "rollback", "abort"),
    RolloutState.ROLLING_BACK: ("abort",),
    RolloutState.SUCCEEDED: ("retry", "rollback"),
    RolloutState.FAILED: ("rollback",),
    RolloutState.ABORTED: ("rollback",),
}
MOST_SHOWN = 200
"""Rollouts, or devices of one, that one page has at most."""


class Rollouts:
    """The rollouts room's use cases; every method takes part in the caller's transaction."""

    evidence: Evidence = NoEvidence()
    """Who knows what results say; the app sets it."""

    def __init__(self, core: Core, desired: DesiredDocuments, components: Components) -> None:
        self._core = core
        self._assignments = Assignments(core, components)
        self._telling = Telling(self._assignments)
        self._stepping = Stepping(core, self._telling)

    def launch(self, session: Session, deployment: Deployment) -> None:
        """Begin the rollout of a new deployment; it supersedes what is under way in its group."""
        for row in store.open_rollouts(session, deployment.group):
            self._stepping.move(session, row, RolloutState.SUPERSEDED, f"{deployment.id} took over")
        plan = deployment.plan
        if deployment.staging and plan == RolloutPlan():
            plan = machine.TWINS
        row = RolloutRow(
            number=number_of(deployment.id),
            group=deployment.group,
            state=RolloutState.PENDING,
            plan=plan,
            waves=wave_count(plan),
            created_at=rfc3339(self._core.clock.now()),
        )
        session.add(row)
        session.flush()
        self._core.wakes.after_commit(session, "rollouts")

    def stopped(self, session: Session, deployment: Deployment) -> bool:
        """Whether a deployment's rollout failed or was aborted."""
        return self._row(session, deployment.rollout).state in _ENDED

    def leads(self, session: Session, deployment: Deployment) -> bool:
        """Whether a deployment's rollout succeeded, or is on its way there."""
        return self._row(session, deployment.rollout).state in _LEADING

    def pause(self, session: Session, id_: str, actor: str = "") -> Rollout:
        """Tell no further device until it goes on; reports are still taken in. Raises `state.illegal_move`."""
        return self._by_hand(session, id_, "pause", RolloutState.PAUSED, "a person paused it", actor)

    def resume(self, session: Session, id_: str, actor: str = "") -> Rollout:
        """Go on. Raises `state.illegal_move`."""
        row = self._row(session, id_)
        if row.state is not RolloutState.PAUSED:
            check_move("rollout", {}, row.state, RolloutState.RUNNING)
        return self._by_hand(session, id_, "resume", RolloutState.RUNNING, "a person let it go on", actor)

    def abort(self, session: Session, id_: str, actor: str = "") -> Rollout:
        """Stop a rollout where it is: devices keep what they were last told. Raises `state.illegal_move`."""
        self._row(session, id_).by_hand = True
        return self._by_hand(session, id_, "abort", RolloutState.ABORTED, "a person stopped it", actor)

    def roll_back(self, session: Session, id_: str, actor: str = "") -> Rollout:
        """Send every device that was told back to what worked before, whatever the failure policy says.

        Also after the rollout ended, as long as it is its group's newest. Raises `rollout.not_newest`,
        `state.illegal_move`.
        """
        row = self._row(session, id_)
        check_move("rollout", ROLLOUT_MOVES, row.state, RolloutState.ROLLING_BACK)
        self._check_newest(session, row)
        row.by_hand = True
        store.forget_sent_back(session, row.number)
        return self._by_hand(session, id_, "rollback", RolloutState.ROLLING_BACK, "a person rolls it back", actor)

    def retry(self, session: Session, id_: str, actor: str = "") -> Rollout:
        """Let every failed device try again, at the plan's rate; a rollout that succeeded runs once more for them.

        Raises `rollout.nothing_failed`, `rollout.not_newest`, `state.illegal_move`.
        """
        row = self._row(session, id_)
        if row.state not in (RolloutState.RUNNING, RolloutState.PAUSED):
            check_move("rollout", ROLLOUT_MOVES, row.state, RolloutState.RUNNING)
            self._check_newest(session, row)
        failed = store.count_progress(session, row.number, DeviceProgress.FAILED)
        if not failed:
            raise LinesideError("rollout.nothing_failed", rollout=row.id)
        self._telling.try_again(session, row)
        why = counted(failed, "failed device tries again", "failed devices try again")
        if row.state is RolloutState.SUCCEEDED:
            return self._by_hand(session, id_, "retry", RolloutState.RUNNING, why, actor)
        self._stepping.remark(session, row, "retried", why, actor)
        self._core.audit.record(session, "rollout.retry", row.id, why=f"{why} in {row.group}")
        return store.value_of(session, row)

    def show(self, session: Session, id_: str) -> Rollout:
        """One rollout. Raises `request.not_found`."""
        return store.value_of(session, self._row(session, id_))

    def page(
        self, session: Session, *, before: str | None = None, group: str | None = None, limit: int = 100
    ) -> RolloutPage:
        """Rollouts, newest first, to one group or to all, older than the one with the id `before`."""
        number = None if before is None else number_of(before)
        rows = store.newest_first(session, before=number, group=group, limit=limit + 1)
        return RolloutPage(
            rollouts=tuple(store.value_of(session, row, history=False) for row in rows[:limit]),
            total=store.count(session, group),
            next=rows[limit - 1].id if len(rows) > limit else None,
        )

    def failed(self, session: Session, limit: int) -> list[Rollout]:
        """Rollouts that failed, or that a deadline stopped, with nothing deployed to their group since; newest first,
        those to twins left out. Each says of one device what went wrong, and comes without its history."""
        return [
            msgspec.structs.replace(
                store.value_of(session, row, history=False), failures=store.failures(session, row.number, limit=1)
            )
            for row in store.newest_failed(session, limit)
        ]

    def states(self, session: Session) -> Mapping[RolloutState, int]:
        """How many rollouts are in each state, those of twins left out."""
        return store.states(session)

    def device_page(
        self,
        session: Session,
        id_: str,
        *,
        progress: DeviceProgress | None = None,
        wave: int | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> RolloutDevicePage:
        """Devices by wave and name; `wave` counts from 1. Raises `request.not_found`, `request.invalid`."""
        row = self._row(session, id_)
        return store.device_page(
            session, row.number, progress=progress, wave=wave, after=after, limit=min(max(limit, 1), MOST_SHOWN)
        )

    def standing(self, session: Session, id_: str) -> Mapping[int, Sequence[str]]:
        """The progress of every device, as a word, by wave and in the order of names: thousands of them, for a drawing.
        Raises `request.not_found`."""
        return store.standing(session, self._row(session, id_).number)

    def verbs(self, session: Session, id_: str) -> tuple[str, ...]:
        """What a person can do with a rollout now, as the last part of the route."""
        row = self._row(session, id_)
        newest = store.newest_first(session, group=row.group, limit=1)[0].number == row.number
        verbs = _VERBS.get(row.state, ()) if newest or row.state in OPEN else ()
        if not any(one.by.get(DeviceProgress.FAILED.value) for one in row.counts):
            verbs = tuple(verb for verb in verbs if verb != "retry")
        if row.state in _ENDED and not store.anybody_has_it(session, row.number):
            verbs = tuple(verb for verb in verbs if verb != "rollback")
        return verbs

    def needs_step(self, session: Session, id_: str) -> Seen | None:
        """What `step` would go by, if that would change anything; reads only."""
        return self._stepping.needs(session, self._row(session, id_), self.evidence)

    def step(self, session: Session, id_: str, seen: Seen | None = None) -> Seen | None:
        """Take in what devices reported and who joined or left, then do the one next thing, as `Stepping.step`."""
        return self._stepping.step(session, self._row(session, id_), self.evidence, seen)

    def cannot_go_on(self, session: Session, id_: str, error: LinesideError) -> None:
        """Keep what keeps a rollout from going on, for people to see; it is tried again."""
        self._stepping.hold_up(session, self._row(session, id_), error)

    def newcomers(self, session: Session) -> Sequence[following.Newcomers]:
        """Devices that joined a group after its last rollout ended, with the deployment they should follow."""
        return following.newcomers(session)

    def follow(self, session: Session) -> None:
        """Give newcomers their group's last good deployment, `machine.BATCH` of each group at most."""
        following.follow(session, self._assignments, self._core.events)

    def _by_hand(
        self, session: Session, id_: str, verb: str, wanted: RolloutState, why: str, actor: str = ""
    ) -> Rollout:
        row = self._row(session, id_)
        who = actor or current().name
        self._stepping.move(session, row, wanted, f"{why} ({who})" if who else why, actor)
        self._core.audit.record(session, f"rollout.{verb}", row.id, why=f"{why}, of {row.group}")
        self._core.wakes.after_commit(session, "rollouts")
        return store.value_of(session, row)

    def _check_newest(self, session: Session, row: RolloutRow) -> None:
        newest = store.newest_first(session, group=row.group, limit=1)[0]
        if newest.number != row.number:
            raise LinesideError("rollout.not_newest", rollout=row.id, group=row.group, newest=newest.id)

    def _row(self, session: Session, id_: str) -> RolloutRow:
        row = store.rollout(session, id_)
        if row is None:
            raise LinesideError("request.not_found", what="rollout", name=id_)
        return row
