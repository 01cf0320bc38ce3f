"""Takes in what is true now: who left, who joined, and how far each device came. Idempotent, in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select, true, update
from sqlalchemy.orm import Session

from lineside.contract.errors import ErrorReport
from lineside.contract.rollout import DeviceProgress, RolloutState
from lineside.contract.rollout_rules import wave_count
from lineside.server.database.among import among
from lineside.server.devices.store import DeviceRow, GroupRow
from lineside.server.rollouts import failures, observing
from lineside.server.rollouts.machine import BATCH
from lineside.server.rollouts.store import AssignmentRow, RolloutDeviceRow, RolloutRow
from lineside.server.rollouts.waves import place_of, specs_of, waves_of
from lineside.server.settings import Settings

_QUIET = {"synchronize_session": False}

Failed = Callable[[str, ErrorReport | None], None]


def take_in(session: Session, row: RolloutRow, settings: Settings, now: datetime, failed: Failed) -> None:
    """Bring the rows of a rollout up to what is true, `BATCH` devices at most; `failed` hears of each that failed."""
    if row.state is RolloutState.PENDING:
        gather(session, row)  # all of them wait
        return
    _drop_leavers(session, row)
    if row.state is not RolloutState.ROLLING_BACK:
        _add(session, row, dict.fromkeys(_joiners(session, row), row.waves - 1))
    _come_further(session, row, settings, now, failed)


def gather(session: Session, row: RolloutRow) -> None:
    """Give every device of the group its wave, anew where it has one."""
    devices = session.scalars(observing.members_of(row.group)).all()
    named = [spec.group for spec in specs_of(row.plan) if spec.group is not None]
    members = {group: session.scalars(observing.members_of(group)).all() for group in named}
    waves = waves_of(devices, row.plan, members)
    session.execute(delete(RolloutDeviceRow).where(RolloutDeviceRow.rollout == row.number), execution_options=_QUIET)
    _add(session, row, waves)
    row.waves = wave_count(row.plan)
    row.wave = min(waves.values(), default=0)


def _joiners(session: Session, row: RolloutRow) -> Sequence[str]:
    known = select(RolloutDeviceRow.device).where(RolloutDeviceRow.rollout == row.number)
    return session.scalars(observing.members_of(row.group).where(GroupRow.device.not_in(known))).all()


def _add(session: Session, row: RolloutRow, waves: dict[str, int]) -> None:
    new = [
        {
            "rollout": row.number,
            "device": device,
            "wave": wave,
            "place": place_of(device),
            "progress": DeviceProgress.WAITING,
        }
        for device, wave in waves.items()
    ]
    if new:
        session.connection().execute(insert(RolloutDeviceRow), new)


def _drop_leavers(session: Session, row: RolloutRow) -> None:
    gone = and_(RolloutDeviceRow.rollout == row.number, RolloutDeviceRow.device.not_in(observing.members_of(row.group)))
    session.execute(delete(RolloutDeviceRow).where(gone), execution_options=_QUIET)


def _come_further(session: Session, row: RolloutRow, settings: Settings, now: datetime, failed: Failed) -> None:
    found = observing.found_now(row, settings, now).label("found")
    lower, settles = observing.lower_now(), observing.settles_now()
    stored = (RolloutDeviceRow.device, RolloutDeviceRow.progress)
    query = observing.rows(row, *stored, found, settles.label("settles"), lower.label("lower"))
    differs = or_(found != RolloutDeviceRow.progress, lower, settles)
    changed = session.execute(query.where(differs).limit(BATCH)).all()
    _lower(session, row, [one.device for one in changed if one.lower])
    _set(session, row, [one.device for one in changed if one.settles], back=True)
    by_progress: dict[DeviceProgress, list[str]] = {}
    for one in changed:
        if one.found is not one.progress:
            by_progress.setdefault(one.found, []).append(one.device)
    new = by_progress.pop(DeviceProgress.FAILED, [])
    for progress, devices in by_progress.items():
        _set(session, row, devices, progress=progress, error=None)
    for device, error in failures.errors_of(session, row, new).items():
        _set(session, row, [device], progress=DeviceProgress.FAILED, error=error)
        failed(device, error)


def _set(session: Session, row: RolloutRow, devices: Sequence[str], **values: Any) -> None:
    if devices:
        mine = and_(RolloutDeviceRow.rollout == row.number, among(RolloutDeviceRow.device, devices))
        session.execute(update(RolloutDeviceRow).where(mine).values(values), execution_options=_QUIET)


def _lower(session: Session, row: RolloutRow, devices: Sequence[str]) -> None:
    now = select(DeviceRow.restarts).where(DeviceRow.name == RolloutDeviceRow.device).scalar_subquery()
    _set(session, row, devices, restarts=now)


def followers(session: Session, row: RolloutRow, good: int | None, at: str) -> None:
    """Take devices into a rollout that goes back, which follow it without having been in it (they joined later), or
    what failed after `good`, the deployment that everybody goes back to."""
    known = select(RolloutDeviceRow.device).where(RolloutDeviceRow.rollout == row.number)
    newer = true() if good is None else AssignmentRow.deployment > good
    strays = select(AssignmentRow.device).where(
        AssignmentRow.group == row.group,
        AssignmentRow.deployment.is_not(None),
        newer,
        AssignmentRow.device.not_in(known),
        AssignmentRow.device.in_(observing.members_of(row.group)),
    )
    for device in session.scalars(strays).all():
        session.add(
            RolloutDeviceRow(
                rollout=row.number,
                device=device,
                wave=row.waves - 1,
                place=place_of(device),
                progress=DeviceProgress.NOTIFIED,
                told_at=at,
            )
        )
    session.flush()
