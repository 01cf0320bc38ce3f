"""A rollout as the state machine sees it: how many devices of each wave stand where, by one query. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, case, func, not_, or_, select
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
    revision: int = 0  # of the rollout's row: what was seen holds as long as that is the same


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
        return Seen(view=view, stale=False, revision=row.revision)
    now_true = session.execute(_differences(row, settings, now)).one()
    stale = bool(now_true.differ)
    if row.state is not RolloutState.ROLLING_BACK:  # who joins now is told nothing, and follows when it is over
        stale |= now_true.members != _count_members(session, row.group)
    tallies = [_Tally() for _ in range(row.waves)]
    for one in session.execute(_stored(row)):
        _add(tallies[one.wave], one)
    for name, flag in (("crashed", _crashed()), ("away", _away(settings, now))):
        if getattr(now_true, name):
            by_wave = rows(row, RolloutDeviceRow.wave, func.count()).where(flag).group_by(RolloutDeviceRow.wave)
            for wave, devices in session.execute(by_wave):
                tallies[wave].numbers[name] = devices
    view = replace(view, waves=tuple(tally.wave() for tally in tallies))
    return _tellable(session, row, Seen(view=view, stale=stale, revision=row.revision))


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
    query = select(func.count()).where(
        mine, GroupRow.device.in_(select(DeviceRow.name).where(DeviceRow.state.in_(others)))
    )
    return everybody - (session.scalar(query) or 0)


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


def _crashed() -> Any:
    return and_(RolloutDeviceRow.progress != DeviceProgress.WAITING, progress.crashed_now())


def _away(settings: Settings, now: datetime) -> Any:
    """Whether a device was sent back, has not settled and is offline."""
    offline = or_(DeviceRow.last_seen.is_(None), DeviceRow.last_seen < progress.offline_since(settings, now))
    return and_(RolloutDeviceRow.back.is_(False), offline)


def _differences(row: RolloutRow, settings: Settings, now: datetime) -> Select[Any]:
    """How many rows are not what is true now, are members, crashed, are away: sums without groups, which cost least."""
    found = found_now(row, settings, now)
    differ = or_(not_(is_member()), found != RolloutDeviceRow.progress, lower_now(), settles_now())
    sums = {"differ": differ, "members": is_member(), "crashed": _crashed(), "away": _away(settings, now)}
    return rows(row, *(func.sum(case((one, 1), else_=0)).label(name) for name, one in sums.items()))


def _stored(row: RolloutRow) -> Select[Any]:
    one = RolloutDeviceRow
    keys: tuple[Any, ...] = (one.wave, one.progress, one.back, one.again)
    numbers: tuple[Any, ...] = (func.count().label("devices"), func.max(one.told_at).label("told_at"))
    return select(*keys, *numbers).where(one.rollout == row.number).group_by(*keys)


def _add(tally: _Tally, one: Any) -> None:
    told = one.progress is not DeviceProgress.WAITING
    tally.by[one.progress] += one.devices
    tally.numbers["again"] += one.devices * bool(one.again and not told)
    tally.numbers["sent_back"] += one.devices * (one.back is not None)
    tally.numbers["back"] += one.devices * bool(one.back)
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
    return replace(seen, view=view, zones=zones)


def after_told(seen: Seen, told: Mapping[int, int]) -> Seen:
    """What is seen when so many devices of each wave were told: the others of the same look need no look of their own.
    How far those that were told are, the next look says."""
    view, count = seen.view, sum(told.values())
    waves = tuple(_told(wave, told.get(number, 0), view.now) for number, wave in enumerate(view.waves))
    allowed = view.allowed if view.plan.rate is None else view.allowed - count
    return replace(seen, view=replace(view, waves=waves, tellable=view.tellable - count, allowed=allowed))


def _told(wave: Wave, count: int, at: datetime) -> Wave:
    if not count:
        return wave
    by = Counter(wave.by)
    by[DeviceProgress.WAITING] -= count
    by[DeviceProgress.NOTIFIED] += count
    return replace(wave, by=dict(by), again=max(0, wave.again - count), last_told=at)


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
