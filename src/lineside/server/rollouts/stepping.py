"""One step of a rollout: look, take in what is true, do the one next thing, and keep what people see of it.

Every step is one transaction: the row (compare-and-set on its revision), its devices, their desired documents, the
history row and the event. A step that is cut off is taken again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.moves import check_move
from lineside.contract.rollout import OPEN, ROLLOUT_MOVES, GateCheck, RolloutState, WaveCounts
from lineside.server.clock import rfc3339
from lineside.server.deployments.store import DeploymentRow
from lineside.server.rollouts import gates, machine, observing, store
from lineside.server.rollouts.evidence import Evidence, Measured
from lineside.server.rollouts.observing import Seen
from lineside.server.rollouts.store import RolloutMoveRow, RolloutRow
from lineside.server.rollouts.taking_in import Failed, followers, gather, take_in
from lineside.server.rollouts.telling import Telling
from lineside.server.rollouts.waves import names_of
from lineside.server.services import Core

MEASURE_SECONDS = 5.0
"""How long what results said of a wave is good for: asking costs more than counting devices."""

_BECAME = {
    RolloutState.SUCCEEDED: "succeeded",
    RolloutState.ROLLING_BACK: "is rolling back",
    RolloutState.FAILED: "failed",
    RolloutState.ABORTED: "was aborted",
    RolloutState.SUPERSEDED: "was superseded",
}
_STEPS = (RolloutState.RUNNING, RolloutState.PAUSED)


class Stepping:
    """Advances rollouts; every method takes part in the caller's transaction."""

    def __init__(self, core: Core, telling: Telling) -> None:
        self._core, self._telling = core, telling
        self._measured: dict[tuple[int, int], tuple[datetime, tuple[Measured, ...]]] = {}

    def needs(self, session: Session, row: RolloutRow, evidence: Evidence) -> Seen | None:
        """What `step` would go by, if that would change anything; reads only."""
        if row.state not in OPEN:
            return None
        seen = self._look(session, row, evidence)
        action = machine.next_action(seen.view)
        if seen.stale or not isinstance(action, machine.Wait):
            return seen
        shown = (action.note, seen.view.gates, counts_of(row, seen.view))
        return seen if (row.note, row.gates, row.counts) != shown else None

    def step(self, session: Session, row: RolloutRow, evidence: Evidence, seen: Seen | None = None) -> Seen | None:
        """Take in what devices reported and who joined or left; when that is all, do the one next thing.

        It goes by what was `seen`, unless something was done with the rollout since. What it gives back still holds for
        the next step: while a wave is told, one look is enough for all its batches.
        """
        if row.state not in OPEN:
            return None
        flag_modified(row, "note")  # whoever stepped meanwhile makes this one fail
        if seen is None or seen.revision != row.revision:
            seen = self._look(session, row, evidence)
        if seen.stale:
            take_in(session, row, self._core.settings, seen.view.now, self._failed(session, row))
            session.flush()
            seen = self._look(session, row, evidence)
        self._keep(row, seen)
        return None if seen.stale else self._act(session, row, seen, machine.next_action(seen.view))

    def move(self, session: Session, row: RolloutRow, wanted: RolloutState, why: str, actor: str = "") -> None:
        """Go to a state, with its history row and its event. Raises `state.illegal_move`."""
        current = row.state
        row.state = check_move("rollout", ROLLOUT_MOVES, current, wanted)
        row.note = self._why_ended(session, row, why)
        now = rfc3339(self._core.clock.now())
        row.finished_at = None if wanted in OPEN else now
        if wanted is RolloutState.ROLLING_BACK:
            followers(session, row, store.last_good(session, row.group, before=row.number), now)
        if wanted is RolloutState.SUCCEEDED or (current, wanted) == (RolloutState.PENDING, RolloutState.RUNNING):
            self._mark(row, row.wave, now, done=wanted is RolloutState.SUCCEEDED)
        self._record(session, row, current, wanted, why)
        verb = "started" if current is RolloutState.PENDING and wanted is RolloutState.RUNNING else wanted.value
        verb = "resumed" if current is RolloutState.PAUSED and wanted is RolloutState.RUNNING else verb
        message = f"{row.id} to the group {row.group} {_BECAME.get(wanted, 'is ' + wanted.value)}: {why}."
        self._event(session, row, verb, message, actor)
        session.flush()

    def remark(self, session: Session, row: RolloutRow, verb: str, why: str, actor: str = "") -> None:
        """Say what was done with a rollout that stays in its state."""
        flag_modified(row, "note")
        self._record(session, row, row.state, row.state, why)
        self._event(session, row, verb, f"{row.id} to the group {row.group}: {why}.", actor)

    def hold_up(self, session: Session, row: RolloutRow, error: LinesideError) -> None:
        """Keep what keeps a rollout from going on; an event says so when it is new."""
        note = f"cannot go on, and tries again: {error.message}"
        if row.note == note:
            return
        row.note = note
        message = f"{row.id} to the group {row.group} cannot go on: {error.message}"
        self._core.events.record(session, kind="rollout.held_up", subject=row.id, message=message, error=error.report())

    def _look(self, session: Session, row: RolloutRow, evidence: Evidence) -> Seen:
        now = self._core.clock.now()
        undo = session.get_one(DeploymentRow, row.number).failure_policy == "ROLLBACK"
        seen = observing.observe(session, row, self._core.settings, now, undo=undo)
        checks = row.gates
        if row.state in _STEPS and not seen.stale:
            checks = self._gates(session, row, seen, evidence)
        return replace(seen, view=replace(seen.view, gates=checks))

    def _gates(self, session: Session, row: RolloutRow, seen: Seen, evidence: Evidence) -> tuple[GateCheck, ...]:
        wanted = [wave for wave in range(row.wave + 1) if gates.wants_results(row.plan, wave)]
        measured = {wave: self._measure(session, row, wave, seen.view.now, evidence) for wave in wanted}
        return gates.check_all(row.plan, seen.view.waves, row.wave, measured)

    def _measure(
        self, session: Session, row: RolloutRow, wave: int, now: datetime, evidence: Evidence
    ) -> Sequence[Measured]:
        at, measured = self._measured.get((row.number, wave), (None, ()))
        if at is None or not 0 <= (now - at).total_seconds() < MEASURE_SECONDS:
            measured = evidence.measure(session, row.number, wave)
            self._measured[(row.number, wave)] = (now, measured)
        return measured

    def _act(self, session: Session, row: RolloutRow, seen: Seen, action: machine.Action) -> Seen | None:
        at = rfc3339(seen.view.now)
        match action:
            case machine.Move(state, why):
                self.move(session, row, state, why)
            case machine.OpenWave(wave, why):
                self._open(session, row, wave, why, at)
            case machine.Arrange():
                gather(session, row)
            case machine.Tell(count):
                further = observing.after_told(seen, self._telling.tell(session, row, count, seen.zones, at))
                self._keep(row, further)
                session.flush()
                more = further.view != seen.view and isinstance(machine.next_action(further.view), machine.Tell)
                return replace(further, revision=row.revision) if more else None
            case machine.SendBack(count):
                self._telling.send_back(session, row, count, at)
            case machine.Wait(note):
                row.note = note
        return None

    def _keep(self, row: RolloutRow, seen: Seen) -> None:
        """What people see: how many stand where, and the gates."""
        counts = counts_of(row, seen.view)
        if row.counts != counts:
            row.counts = counts
        if row.gates != seen.view.gates:
            row.gates = seen.view.gates

    def _open(self, session: Session, row: RolloutRow, wave: int, why: str, at: str) -> None:
        self._mark(row, row.wave, at, done=True)
        self._mark(row, wave, at, done=False)
        row.wave = wave
        self._record(session, row, row.state, row.state, f"wave {wave + 1} begins; {why}")
        self._event(session, row, "wave_opened", f"{row.id} begins wave {wave + 1}: {why}.")

    def _mark(self, row: RolloutRow, wave: int, at: str, *, done: bool) -> None:
        when = {"done_at": at} if done else {"opened_at": at}
        row.counts = tuple(msgspec.structs.replace(one, **when) if one.wave == wave else one for one in row.counts)

    def _failed(self, session: Session, row: RolloutRow) -> Failed:
        def failed(device: str, error: ErrorReport | None) -> None:
            why = error.message if error else "it does not say why"
            message = f"{device} failed in {row.id}: {why}"
            self._core.events.record(
                session, kind="rollout.device_failed", subject=device, message=message, error=error
            )

        return failed

    def _why_ended(self, session: Session, row: RolloutRow, why: str) -> str:
        """Why a rollout ended as nobody wanted it: what sent everybody back comes first."""
        if row.state not in (RolloutState.FAILED, RolloutState.ABORTED):
            return ""
        return "; ".join(dict.fromkeys(one for one in (store.why_back(session, row.number), why) if one))

    def _record(self, session: Session, row: RolloutRow, current: RolloutState, wanted: RolloutState, why: str) -> None:
        at = rfc3339(self._core.clock.now())
        session.add(RolloutMoveRow(rollout=row.number, at=at, current=current.value, wanted=wanted.value, why=why))

    def _event(self, session: Session, row: RolloutRow, verb: str, message: str, actor: str = "") -> None:
        self._core.events.record(session, kind=f"rollout.{verb}", subject=row.id, message=message, actor=actor)


def counts_of(row: RolloutRow, view: machine.View) -> tuple[WaveCounts, ...]:
    """How the devices of each wave stand, as it is kept and shown."""
    names, before = names_of(row.plan), {one.wave: one for one in row.counts}
    return tuple(
        WaveCounts(
            wave=number,
            name=names[number] if number < len(names) else "",
            devices=wave.devices,
            by={progress.value: count for progress, count in sorted(wave.by.items(), key=_by_value) if count},
            crashed=wave.crashed,
            sent_back=wave.sent_back,
            back=wave.back,
            told_at=rfc3339(wave.last_told) if wave.last_told else None,
            opened_at=before[number].opened_at if number in before else None,
            done_at=before[number].done_at if number in before else None,
        )
        for number, wave in enumerate(view.waves)
    )


def _by_value(one: tuple[object, int]) -> str:
    return str(one[0])
