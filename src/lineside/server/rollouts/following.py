"""Devices that join a group after its last rollout ended follow what succeeded there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select
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


def newcomers(session: Session) -> Sequence[Newcomers]:
    """Accepted devices of each group without an open rollout which follow nothing newer than before the group's newest
    success, or nothing at all; `BATCH` of each group at most."""
    succeeded, number = RolloutRow.state == RolloutState.SUCCEEDED, func.max(RolloutRow.number)
    busy = select(RolloutRow.group).where(RolloutRow.state.in_(OPEN))
    good = select(RolloutRow.group, number).where(succeeded, RolloutRow.group.not_in(busy)).group_by(RolloutRow.group)
    found = []
    for group, deployment in session.execute(good.order_by(RolloutRow.group)):
        mine = and_(AssignmentRow.device == GroupRow.device, AssignmentRow.group == GroupRow.group)
        older = or_(AssignmentRow.deployment.is_(None), AssignmentRow.deployment < deployment)
        query = (
            select(GroupRow.device)
            .join(DeviceRow, DeviceRow.name == GroupRow.device)
            .outerjoin(AssignmentRow, mine)
            .where(GroupRow.group == group, DeviceRow.state == DeviceState.ACCEPTED.value, older)
        )
        devices = session.scalars(query.order_by(GroupRow.device).limit(BATCH)).all()
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
