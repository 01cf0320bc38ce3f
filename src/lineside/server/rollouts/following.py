"""Devices that join a group after its last rollout ended follow what succeeded there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from lineside.contract.device import DeviceState
from lineside.contract.rollout import OPEN, RolloutState
from lineside.server.access.events import Events
from lineside.server.devices.store import DeviceRow, GroupRow
from lineside.server.rollouts.assignments import Assignments
from lineside.server.rollouts.machine import BATCH
from lineside.server.rollouts.store import AssignmentRow, RolloutRow


class Newcomers(NamedTuple):
    """Devices of a group that should follow a deployment, and do not."""

    group: str
    deployment: int
    devices: tuple[str, ...]


def _good() -> Select[str, int]:
    """Groups without an open rollout that have had a success, and the number of the newest."""
    succeeded, number = RolloutRow.state == RolloutState.SUCCEEDED, func.max(RolloutRow.number)
    busy = select(RolloutRow.group).where(RolloutRow.state.in_(OPEN))
    good = select(RolloutRow.group, number).where(succeeded, RolloutRow.group.not_in(busy)).group_by(RolloutRow.group)
    return good.order_by(RolloutRow.group)


def _behind() -> Select[str]:
    """Accepted devices of `group` that follow nothing, or what is older than the deployment `newest`."""
    mine = and_(AssignmentRow.device == GroupRow.device, AssignmentRow.group == GroupRow.group)
    older = or_(AssignmentRow.deployment.is_(None), AssignmentRow.deployment < bindparam("newest"))
    query = (
        select(GroupRow.device)
        .join(DeviceRow, DeviceRow.name == GroupRow.device)
        .outerjoin(AssignmentRow, mine)
        .where(GroupRow.group == bindparam("group"), DeviceRow.state == DeviceState.ACCEPTED.value, older)
    )
    return query.order_by(GroupRow.device).limit(BATCH)


_GOOD, _BEHIND = _good(), _behind()  # made once: a control plane at rest asks twice a second


def newcomers(session: Session) -> Sequence[Newcomers]:
    """Accepted devices of each group without an open rollout which follow nothing newer than before the group's newest
    success, or nothing at all; `BATCH` of each group at most."""
    found = []
    for group, deployment in session.execute(_GOOD):
        devices = session.scalars(_BEHIND, {"group": group, "newest": deployment}).all()
        if devices:
            found.append(Newcomers(group, deployment, tuple(devices)))
    return found


def follow(session: Session, assignments: Assignments, events: Events) -> None:
    """Give newcomers their group's last good deployment."""
    for group, deployment, devices in newcomers(session):
        assignments.assign_many(session, devices, group, deployment)
        for device in devices:
            message = f"{device} follows deployment-{deployment} as a newcomer to the group {group}."
            events.record(session, kind="device.follows", subject=device, message=message)
