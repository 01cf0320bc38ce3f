"""Maintenance windows: whether one is open in a device's time zone, and when the next one opens. Pure.

Windows are read off the clock on the wall there, so they stay where they are when the clocks change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from lineside.contract.rollout import Window
from lineside.contract.rollout_rules import DAYS


def zone_of(name: str, fallback: str) -> ZoneInfo:
    """The time zone a device says, or the plan's when it says none, or one that nobody knows."""
    try:
        return ZoneInfo(name or fallback)
    except (KeyError, OSError, ValueError):
        return ZoneInfo(fallback)


def is_open(windows: Sequence[Window], zone: ZoneInfo, now: datetime) -> bool:
    """Whether a device in this zone may be told now; without windows always."""
    there = now.astimezone(zone)
    today, yesterday = DAYS[there.weekday()], DAYS[there.weekday() - 1]
    return not windows or any(_within(window, there.time(), today, yesterday) for window in windows)


def next_opening(windows: Sequence[Window], zone: ZoneInfo, now: datetime) -> datetime:
    """When the next window opens (UTC), at most a week from now; `now` where there is none."""
    there = now.astimezone(zone)
    found = []
    for ahead in range(9):
        day = there.date() + timedelta(days=ahead)
        for window in windows:
            opens = datetime.combine(day, time.fromisoformat(window.start), zone).astimezone(UTC)
            if DAYS[day.weekday()] in window.days and opens > now:
                found.append(opens)
    return min(found, default=now)


def _within(window: Window, clock: time, today: str, yesterday: str) -> bool:
    start, end = time.fromisoformat(window.start), time.fromisoformat(window.end)
    if start < end:
        return today in window.days and start <= clock < end
    return (today in window.days and clock >= start) or (yesterday in window.days and clock < end)
