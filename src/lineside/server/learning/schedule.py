"""When a cron expression is due: five fields, in UTC."""

from __future__ import annotations

from datetime import datetime

from lineside.contract.errors import LinesideError

_FIELDS = 5
_MOST = 200


def check_schedule(loop: str, schedule: str | None) -> None:
    """Raises `loop.invalid` for what is no schedule, or one that is never due."""
    if schedule is None:
        return
    if len(schedule) > _MOST or len(schedule.split()) != _FIELDS:
        raise LinesideError("loop.invalid", loop=loop, why=f"a schedule has {_FIELDS} fields, as cron writes them")
    from croniter import (
        CroniterBadCronError,
        CroniterBadDateError,
    )  # not at every start: who has no schedule needs none

    try:
        next_after(schedule, datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    except (CroniterBadCronError, CroniterBadDateError, ValueError, KeyError) as error:
        raise LinesideError("loop.invalid", loop=loop, why=f"{schedule!r} is no schedule ({error})") from error


def next_after(schedule: str, moment: datetime) -> datetime:
    """The first time after a moment."""
    from croniter import croniter

    due: datetime = croniter(schedule, moment).get_next(datetime)
    return due
