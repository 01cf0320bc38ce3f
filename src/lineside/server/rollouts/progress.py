"""Where each device of a rollout stands now, as one SQL expression over its reports and its desired document.

A device's own word "healthy" is not enough: what it runs was judged against what is wanted when its report came in
(`devices.model.outcome`), and it must have been heard of for the soak time since. One that is silent is unknown.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, case, literal, or_, true, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from lineside.contract.rollout import DeviceProgress, RolloutPlan
from lineside.server.clock import rfc3339
from lineside.server.devices.model import Outcome
from lineside.server.devices.store import DesiredRow, DeviceRow
from lineside.server.rollouts.conflicts import ConflictRow
from lineside.server.rollouts.store import RolloutDeviceRow
from lineside.server.settings import Settings

_BLINK = 0.002  # s: two readings of the clock in one transaction


class epoch(GenericFunction[float]):
    """Seconds since 1970 of a column of RFC 3339 text."""

    type = Float()
    inherit_cache = True


@compiles(epoch, "sqlite")
def _sqlite(element: Any, compiler: Any, **more: Any) -> str:
    return f"((julianday({compiler.process(element.clauses, **more)}) - 2440587.5) * 86400.0)"


@compiles(epoch, "postgresql")
def _postgresql(element: Any, compiler: Any, **more: Any) -> str:
    return f"extract(epoch from ({compiler.process(element.clauses, **more)})::timestamptz)::double precision"


def offline_since(settings: Settings, now: datetime) -> str:
    """A device that was last seen before this moment is offline."""
    return rfc3339(now - timedelta(seconds=settings.silence_seconds))


SPEAKS: ColumnElement[bool] = DeviceRow.revision == DesiredRow.revision
"""Whether a device's newest report is about what it should run now."""


def progress_now(plan: RolloutPlan, settings: Settings, now: datetime) -> ColumnElement[DeviceProgress]:
    """The progress of a row of rollout_devices ⋈ devices ⋈ desired ⋈ assignment_conflicts, as it is at `now`."""
    stored, healthy = RolloutDeviceRow.progress, DeviceRow.outcome == Outcome.HEALTHY.value
    offline = or_(DeviceRow.last_seen.is_(None), DeviceRow.last_seen < offline_since(settings, now))
    found = case(
        (stored == DeviceProgress.WAITING, _word(DeviceProgress.WAITING)),
        (ConflictRow.device.is_not(None), _word(DeviceProgress.FAILED)),
        (and_(SPEAKS, DeviceRow.outcome == Outcome.FAILED.value), _word(DeviceProgress.FAILED)),
        (and_(SPEAKS, healthy, _soaked(plan)), _word(DeviceProgress.HEALTHY)),
        (stored == DeviceProgress.FAILED, _word(DeviceProgress.FAILED)),  # until it is healthy, or tried again
        (offline, _word(DeviceProgress.UNKNOWN)),
        *_too_slow(plan, now),
        (and_(SPEAKS, healthy), _word(DeviceProgress.SOAKING)),
        (SPEAKS, _word(DeviceProgress.INSTALLING)),
        else_=_word(DeviceProgress.NOTIFIED),
    )
    return type_coerce(found, RolloutDeviceRow.progress.type)


def crashed_now() -> ColumnElement[bool]:
    """Whether a device's components restarted since it was told."""
    return and_(SPEAKS, DeviceRow.restarts > RolloutDeviceRow.restarts)


def settled_now() -> ColumnElement[bool]:
    """Whether a device that was sent back is done with that, well or badly."""
    done = DeviceRow.outcome.in_([Outcome.HEALTHY.value, Outcome.FAILED.value])
    return or_(and_(SPEAKS, done), ConflictRow.device.is_not(None))


def _soaked(plan: RolloutPlan) -> ColumnElement[bool]:
    """Heard of for so long since it first said that it is healthy; it has not said otherwise in between."""
    if plan.soak_seconds == 0:
        return true()
    return epoch(DeviceRow.last_seen) - epoch(DeviceRow.healthy_since) >= plan.soak_seconds - _BLINK


def _too_slow(plan: RolloutPlan, now: datetime) -> list[tuple[ColumnElement[bool], ColumnElement[str]]]:
    if plan.install_seconds is None:
        return []
    allowed = timedelta(seconds=plan.install_seconds + plan.soak_seconds)
    return [(RolloutDeviceRow.told_at < rfc3339(now - allowed), _word(DeviceProgress.FAILED))]


def _word(progress: DeviceProgress) -> ColumnElement[str]:
    return literal(progress.value)
