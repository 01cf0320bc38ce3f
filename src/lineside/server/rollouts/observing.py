"""A rollout as the state machine sees it: how many devices of each wave stand where, by one query. Reads only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from lineside.contract.device import DeviceState
from lineside.contract.rollout import DeviceProgress, RolloutState
from lineside.server.clock import parse_rfc3339, rfc3339
from lineside.server.devices.store import DesiredRow, DeviceRow, GroupRow
from lineside.server.rollouts import progress, rate, windows
from lineside.server.rollouts.conflicts import ConflictRow
from lineside.server.rollouts.gates import Wave
from lineside.server.rollouts.machine import BATCH, View, starts_at
from lineside.server.rollouts.store import RolloutDeviceRow, RolloutRow
from lineside.server.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the machine decides on, without gates. `stale` is true as long as the rows differ from what is true now:
    devices joined or left, or came further."""

    view: View
    stale: bool
    zones: tuple[str, ...] | None = None  # of the devices that may be told now; None: all


@dataclass
class _Tally:
    by: Counter[DeviceProgress] = field(default_factory=Counter)
    numbers: Counter[str] = field(default_factory=Counter)
    last_told: str | None = None

    def wave(self) -> Wave:
        return Wave(
            by=dict(self.by),
            last_told=parse_rfc3339(self.last_told) if self.last_told else None,
            **{name: self.numbers[name] for name in ("crashed", "again", "sent_back", "back", "away")},
        )


def observe(session: Session, row: RolloutRow, settings: Settings, now: datetime, *, undo: bool) -> Seen:
    """What is true of a rollout now."""
    view = View(
        state=row.state,
        now=now,
        wave=row.wave,
        plan=row.plan,
        group=row.group,
        undo=undo or row.by_hand,
        ends=RolloutState.ABORTED if row.by_hand else RolloutState.FAILED,
    )
    if row.state is RolloutState.PENDING and starts_at(view) is not None:
        return Seen(view=view, stale=False)
    tallies = [_Tally() for _ in range(row.waves)]
    stale, here = False, 0
    for one in session.execute(_counts(row, settings, now)):
        if not one.member:
            stale = True
            continue
        here += one.devices
        stale |= bool(one.lower or one.settles) or one.progress is not one.found
        _add(tallies[one.wave], row, one)
    if row.state is not RolloutState.ROLLING_BACK:  # who joins now is told nothing, and follows when it is over
        stale |= here != _count_members(session, row.group)
    view = replace(view, waves=tuple(tally.wave() for tally in tallies))
    return _tellable(session, row, Seen(view=view, stale=stale))


def rows(row: RolloutRow, *columns: Any) -> Select[Any]:
    """A query over the devices of a rollout, with what they say and should run, and whether they are in its group."""
    query = select(*columns).select_from(RolloutDeviceRow).where(RolloutDeviceRow.rollout == row.number)
    query = query.join(DeviceRow, DeviceRow.name == RolloutDeviceRow.device)
    query = query.outerjoin(DesiredRow, DesiredRow.device == RolloutDeviceRow.device)
    query = query.outerjoin(ConflictRow, ConflictRow.device == RolloutDeviceRow.device)
    mine = and_(GroupRow.device == RolloutDeviceRow.device, GroupRow.group == row.group)
    return query.outerjoin(GroupRow, mine)


def members_of(group: str) -> Select[str]:
    """The names of the accepted devices of a group."""
    query = select(DeviceRow.name).join(GroupRow, GroupRow.device == DeviceRow.name)
    return query.where(GroupRow.group == group, DeviceRow.state == DeviceState.ACCEPTED.value)


def _count_members(session: Session, group: str) -> int:
    """How many `members_of` gives: few devices are in a group and not accepted, so those are counted."""
    mine = GroupRow.group == group
    everybody = session.scalar(select(func.count()).select_from(GroupRow).where(mine)) or 0
    others = [state.value for state in DeviceState if state is not DeviceState.ACCEPTED]
    query = select(func.count()).select_from(GroupRow).join(DeviceRow, DeviceRow.name == GroupRow.device)
    return everybody - (session.scalar(query.where(mine, DeviceRow.state.in_(others))) or 0)


def is_member() -> Any:
    """Whether a row of `rows` is an accepted device of the rollout's group."""
    return and_(GroupRow.device.is_not(None), DeviceRow.state == DeviceState.ACCEPTED.value)


def found_now(row: RolloutRow, settings: Settings, now: datetime) -> Any:
    """The progress that is true now; a rollout on its way back keeps what it had, to show why."""
    if row.state in (RolloutState.RUNNING, RolloutState.PAUSED):
        return progress.progress_now(row.plan, settings, now)
    return RolloutDeviceRow.progress


def lower_now() -> Any:
    """Whether a device's count of restarts began anew."""
    return and_(RolloutDeviceRow.told_at.is_not(None), DeviceRow.restarts < RolloutDeviceRow.restarts)


def settles_now() -> Any:
    """Whether a device that was sent back has settled, and the row does not know."""
    return and_(RolloutDeviceRow.back.is_(False), progress.settled_now())


def _counts(row: RolloutRow, settings: Settings, now: datetime) -> Select[Any]:
    offline = or_(DeviceRow.last_seen.is_(None), DeviceRow.last_seen < progress.offline_since(settings, now))
    away = and_(RolloutDeviceRow.back.is_(False), offline)
    keys = (
        RolloutDeviceRow.wave.label("wave"),
        RolloutDeviceRow.progress.label("progress"),
        found_now(row, settings, now).label("found"),
        is_member().label("member"),
        RolloutDeviceRow.back.label("back"),
        RolloutDeviceRow.again.label("again"),
        lower_now().label("lower"),
        settles_now().label("settles"),
        away.label("away"),
        progress.crashed_now().label("crashed"),
    )
    numbers = (func.count().label("devices"), func.max(RolloutDeviceRow.told_at).label("told_at"))
    return rows(row, *keys, *numbers).group_by(*(key.name for key in keys))


def _add(tally: _Tally, row: RolloutRow, one: Any) -> None:
    tally.by[one.found] += one.devices
    told = one.found is not DeviceProgress.WAITING
    tally.numbers["crashed"] += one.devices * bool(one.crashed and told)
    tally.numbers["again"] += one.devices * bool(one.again and not told)
    tally.numbers["sent_back"] += one.devices * (one.back is not None)
    tally.numbers["back"] += one.devices * bool(one.back or one.settles)
    tally.numbers["away"] += one.devices * bool(one.away and not one.settles)
    if one.told_at is not None:
        tally.last_told = max(tally.last_told or "", one.told_at)


def _tellable(session: Session, row: RolloutRow, seen: Seen) -> Seen:
    """How many of those that wait may be told now, by their maintenance windows and the rate."""
    view, plan = seen.view, seen.view.plan
    waiting = sum(wave.count(DeviceProgress.WAITING) for wave in view.begun)
    if row.state is not RolloutState.RUNNING or not waiting:
        return seen
    zones, opens_at = None, None
    if plan.windows:
        by_zone = _zones(session, row)
        known = {zone: windows.zone_of(zone, plan.time_zone) for zone in by_zone}
        zones = tuple(zone for zone in by_zone if windows.is_open(plan.windows, known[zone], view.now))
        waiting = sum(by_zone[zone] for zone in zones)
        opens_at = min((windows.next_opening(plan.windows, zone, view.now) for zone in known.values()), default=None)
    view = replace(view, tellable=waiting, opens_at=opens_at, allowed=_allowed(session, row, view))
    return Seen(view=view, stale=seen.stale, zones=zones)


def _zones(session: Session, row: RolloutRow) -> dict[str, int]:
    query = select(DeviceRow.time_zone, func.count()).join(RolloutDeviceRow, RolloutDeviceRow.device == DeviceRow.name)
    waits = RolloutDeviceRow.progress == DeviceProgress.WAITING
    query = query.where(RolloutDeviceRow.rollout == row.number, RolloutDeviceRow.wave <= row.wave, waits)
    return dict(session.execute(query.group_by(DeviceRow.time_zone)).all())


def _allowed(session: Session, row: RolloutRow, view: View) -> int:
    if view.plan.rate is None:
        return BATCH
    told = view.devices - view.count(DeviceProgress.WAITING)
    speed = rate.per_minute(view.plan.rate, told, view.count(DeviceProgress.HEALTHY))
    after = rfc3339(view.now - timedelta(seconds=rate.period(speed)))
    lately = select(func.count()).where(RolloutDeviceRow.rollout == row.number, RolloutDeviceRow.told_at > after)
    return rate.allowance(speed, session.scalar(lately) or 0)
