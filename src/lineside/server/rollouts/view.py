"""A rollout as the state machine sees it: as it is stored, and as it is now by what devices reported. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from lineside.contract.errors import ErrorReport
from lineside.contract.rollout import DeviceProgress, GateCheck, RolloutState
from lineside.server.deployments.store import DeploymentRow
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.store import DeviceRow, devices_in
from lineside.server.rollouts import machine, store
from lineside.server.rollouts.machine import Member
from lineside.server.rollouts.progress import is_settled, progress_of
from lineside.server.rollouts.store import RolloutRow


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the machine decides on, with the gates it shows and what failed devices say."""

    machine: machine.View
    gates: tuple[GateCheck, ...] = ()
    errors: dict[str, ErrorReport] = field(default_factory=dict)


def stored(session: Session, row: RolloutRow) -> Look:
    """What the tables say."""
    deployment = session.get_one(DeploymentRow, row.number)
    rows = store.devices_of(session, row.number)
    seen = machine.View(
        state=row.state,
        wave=row.wave,
        waves=row.waves,
        members=tuple(Member(device=one.device, wave=one.wave, progress=one.progress, back=one.back) for one in rows),
        policy=machine.TWINS if deployment.staging else machine.FLEET,
        undo=deployment.failure_policy == "ROLLBACK",
    )
    return Look(machine=seen, gates=row.gates, errors={one.device: one.error for one in rows if one.error is not None})


def look(session: Session, row: RolloutRow, desired: DesiredDocuments) -> Look:
    """What is true now: members that left are gone, those that joined wait, reports are taken in."""
    before = stored(session, row)
    match row.state:
        case RolloutState.PENDING:
            return replace(before, machine=_gather(before.machine, devices_in(session, row.group)))
        case RolloutState.RUNNING:
            joined = _join(before.machine, devices_in(session, row.group))
            return _take_in(session, joined, desired)
        case RolloutState.ROLLING_BACK:
            there = set(devices_in(session, row.group))
            members = (_settle(session, one, desired) for one in before.machine.members if one.device in there)
            return replace(before, machine=replace(before.machine, members=tuple(members)))
        case _:
            return before


def _gather(seen: machine.View, devices: list[str]) -> machine.View:
    waves = machine.waves_of(devices, seen.policy)
    members = sorted((Member(device=device, wave=wave) for device, wave in waves.items()), key=_order)
    return replace(seen, members=tuple(members), waves=max(waves.values(), default=0) + 1)


def _join(seen: machine.View, devices: list[str]) -> machine.View:
    known = {member.device: member for member in seen.members}
    members = (known.get(device, Member(device=device, wave=seen.waves - 1)) for device in devices)
    return replace(seen, members=tuple(sorted(members, key=_order)))


def _take_in(session: Session, seen: machine.View, desired: DesiredDocuments) -> Look:
    members, errors = [], {}
    for member in seen.members:
        if member.progress is not DeviceProgress.WAITING:
            report = session.get_one(DeviceRow, member.device).report
            progress, error = progress_of(desired.desired(session, member.device), report)
            member = replace(member, progress=progress)
            if error is not None:
                errors[member.device] = error
        members.append(member)
    seen = replace(seen, members=tuple(members))
    return Look(machine=seen, gates=machine.gates_of(seen), errors=errors)


def _settle(session: Session, member: Member, desired: DesiredDocuments) -> Member:
    if member.back is None:
        return member
    report = session.get_one(DeviceRow, member.device).report
    return replace(member, back=is_settled(desired.desired(session, member.device), report))


def _order(member: Member) -> tuple[int, str]:
    return member.wave, member.device
