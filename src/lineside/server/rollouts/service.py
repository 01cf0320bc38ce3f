"""What is done with rollouts: launch, advance by one action, abort.

Every change of a rollout is one transaction: the row (compare-and-set on its revision), its devices, their desired
documents, the history row and the event.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from lineside.contract.deployment import Deployment
from lineside.contract.errors import LinesideError
from lineside.contract.moves import check_move
from lineside.contract.rollout import ROLLOUT_MOVES, DeviceProgress, Rollout, RolloutState
from lineside.server.clock import rfc3339
from lineside.server.components.service import Components
from lineside.server.deployments.store import number_of
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.store import devices_in
from lineside.server.rollouts import machine, store, view
from lineside.server.rollouts.assignments import Assignments
from lineside.server.rollouts.store import OPEN, RolloutDeviceRow, RolloutMoveRow, RolloutRow
from lineside.server.services import Core

_ENDED = (RolloutState.FAILED, RolloutState.ABORTED)


class Rollouts:
    """The rollouts room's use cases; every method takes part in the caller's transaction."""

    def __init__(self, core: Core, desired: DesiredDocuments, components: Components) -> None:
        self._core, self._desired = core, desired
        self._assignments = Assignments(core, components)

    def launch(self, session: Session, deployment: Deployment) -> None:
        """Begin the rollout of a new deployment; it supersedes what is under way in its group."""
        for row in store.open_rollouts(session, deployment.group):
            self._move(session, row, RolloutState.SUPERSEDED, f"{deployment.id} took over")
        now = rfc3339(self._core.clock.now())
        number = number_of(deployment.id)
        session.add(RolloutRow(number=number, group=deployment.group, state=RolloutState.PENDING, created_at=now))
        session.flush()

    def stopped(self, session: Session, deployment: Deployment) -> bool:
        """Whether a deployment's rollout failed or was aborted."""
        return self._row(session, deployment.rollout).state in _ENDED

    def abort(self, session: Session, id_: str, actor: str = "") -> Rollout:
        """Stop a rollout where it is: devices keep what they were last told. Raises `state.illegal_move`."""
        row = self._row(session, id_)
        self._move(session, row, RolloutState.ABORTED, "a person stopped it", actor)
        self._core.audit.record(session, "rollout.abort", row.id, why=f"of {row.group}")
        return store.value_of(session, row)

    def show(self, session: Session, id_: str) -> Rollout:
        """One rollout. Raises `request.not_found`."""
        return store.value_of(session, self._row(session, id_))

    def all(self, session: Session) -> list[Rollout]:
        """Every rollout, newest first."""
        return [store.value_of(session, row) for row in store.newest_first(session)]

    def needs_step(self, session: Session, id_: str) -> bool:
        """Whether `step` would change anything; reads only."""
        row = self._row(session, id_)
        fresh = view.look(session, row, self._desired)
        return fresh != view.stored(session, row) or machine.next_action(fresh.machine) != machine.Wait()

    def step(self, session: Session, id_: str) -> None:
        """Take in what devices reported and who joined or left, then do the one next thing."""
        row = self._row(session, id_)
        if row.state not in OPEN:
            return
        fresh = view.look(session, row, self._desired)
        self._store(session, row, fresh)
        self._act(session, row, fresh.machine, machine.next_action(fresh.machine))

    def newcomers(self, session: Session) -> list[tuple[str, str, int]]:
        """Devices that joined a group after its last rollout ended: (device, group, deployment they should follow)."""
        found = []
        for group in store.groups(session):
            good = store.last_good(session, group)
            if good is None or store.open_rollouts(session, group):
                continue
            follow = store.assigned(session, group)
            found += [(device, group, good) for device in devices_in(session, group) if device not in follow]
        return found

    def follow(self, session: Session) -> None:
        """Give newcomers their group's last good deployment."""
        for device, group, deployment in self.newcomers(session):
            self._assignments.assign(session, device, group, deployment)
            self._core.events.record(
                session,
                kind="device.follows",
                subject=device,
                message=f"{device} follows deployment-{deployment} as a newcomer to the group {group}.",
            )

    def _act(self, session: Session, row: RolloutRow, seen: machine.View, action: machine.Action) -> None:
        match action:
            case machine.Move(state, why):
                self._move(session, row, state, why)
            case machine.OpenWave(wave, why):
                self._open(session, row, wave, why)
            case machine.Arrange():
                self._arrange(session, row, seen)
            case machine.Tell(devices):
                self._tell(session, row, devices)
            case machine.SendBack(devices):
                self._send_back(session, row, devices)
            case machine.Wait():
                pass

    def _tell(self, session: Session, row: RolloutRow, devices: tuple[str, ...]) -> None:
        for device in devices:
            self._assignments.assign(session, device, row.group, row.number)
            session.get_one(RolloutDeviceRow, (row.number, device)).progress = DeviceProgress.NOTIFIED

    def _send_back(self, session: Session, row: RolloutRow, devices: tuple[str, ...]) -> None:
        good = store.last_good(session, row.group, before=row.number)
        for device in devices:
            self._assignments.assign(session, device, row.group, good)
            session.get_one(RolloutDeviceRow, (row.number, device)).back = False

    def _arrange(self, session: Session, row: RolloutRow, seen: machine.View) -> None:
        waves = machine.waves_of((member.device for member in seen.members), seen.policy)
        for device in store.devices_of(session, row.number):
            device.wave = waves[device.device]
        row.waves = max(waves.values()) + 1

    def _open(self, session: Session, row: RolloutRow, wave: int, why: str) -> None:
        row.wave = wave
        self._record(session, row, row.state, row.state, f"wave {wave + 1} begins; {why}")
        self._event(session, row, "wave_opened", f"{row.id} begins wave {wave + 1}: {why}.")

    def _move(self, session: Session, row: RolloutRow, wanted: RolloutState, why: str, actor: str = "") -> None:
        current = row.state
        row.state = check_move("rollout", ROLLOUT_MOVES, current, wanted)
        if wanted not in OPEN:
            row.finished_at = rfc3339(self._core.clock.now())
        self._record(session, row, current, wanted, why)
        verb = "started" if wanted is RolloutState.RUNNING else wanted.value
        self._event(
            session, row, verb, f"{row.id} to the group {row.group} is {wanted.value.replace('_', ' ')}: {why}.", actor
        )
        session.flush()

    def _store(self, session: Session, row: RolloutRow, fresh: view.Look) -> None:
        """Write what was seen where it differs from what is stored."""
        rows = {one.device: one for one in store.devices_of(session, row.number)}
        for gone in rows.keys() - {member.device for member in fresh.machine.members}:
            session.delete(rows[gone])
        for member in fresh.machine.members:
            one = rows.get(member.device)
            if one is None:
                one = RolloutDeviceRow(rollout=row.number, device=member.device)
                session.add(one)
            self._failed(session, row, one, member, fresh)
            one.wave, one.progress, one.back = member.wave, member.progress, member.back
            one.error = fresh.errors.get(member.device)
        if (row.waves, row.gates) != (fresh.machine.waves, fresh.gates):
            row.waves, row.gates = fresh.machine.waves, fresh.gates
        session.flush()

    def _failed(
        self, session: Session, row: RolloutRow, one: RolloutDeviceRow, member: machine.Member, fresh: view.Look
    ) -> None:
        if member.progress is DeviceProgress.FAILED and one.progress is not DeviceProgress.FAILED:
            error = fresh.errors.get(member.device)
            why = error.message if error else "it does not say why"
            message = f"{member.device} failed in {row.id}: {why}"
            self._core.events.record(
                session, kind="rollout.device_failed", subject=member.device, message=message, error=error
            )

    def _record(self, session: Session, row: RolloutRow, current: RolloutState, wanted: RolloutState, why: str) -> None:
        at = rfc3339(self._core.clock.now())
        move = RolloutMoveRow(rollout=row.number, at=at, current=current.value, wanted=wanted.value, why=why)
        session.add(move)

    def _event(self, session: Session, row: RolloutRow, verb: str, message: str, actor: str = "") -> None:
        self._core.events.record(session, kind=f"rollout.{verb}", subject=row.id, message=message, actor=actor)

    def _row(self, session: Session, id_: str) -> RolloutRow:
        row = store.rollout(session, id_)
        if row is None:
            raise LinesideError("request.not_found", what="rollout", name=id_)
        return row
