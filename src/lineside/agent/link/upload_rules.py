"""When captures may go home: byte budgets a day and a month, windows of the device's local time, metered links.

They are the `uploads` of the configuration of `aws.greengrass.Nucleus`, deployed like any other configuration:

    {"uploads": {"bytesPerDay": 50000000, "bytesPerMonth": 1000000000,
                 "windows": [{"start": "22:00", "end": "06:00"}],
                 "metered": {"interfaces": ["wwan*", "ppp*"], "rule": "budget", "bytesPerDay": 5000000}}}

Bytes are what is sent of images, those of an upload that broke off included. A configuration that cannot be read lets
nothing go: a mistake must not cost money.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import msgspec

from lineside.contract.reading import UNREADABLE
from lineside.contract.rollout import Window

ROUTES = Path("/proc/net/route")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UP = 0x1  # RTF_UP, linux/route.h


class Metered(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Over these network interfaces (patterns) bytes cost money: `never` send captures there, or only within a
    `budget` of its own."""

    interfaces: tuple[str, ...]
    rule: Literal["never", "budget"] = "never"
    bytes_per_day: int = 0


class UploadRules(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is not said is not limited."""

    bytes_per_day: int | None = None
    bytes_per_month: int | None = None
    windows: tuple[Window, ...] = ()
    time_zone: str = ""  # IANA's name; empty: the device's own
    metered: Metered | None = None

    @property
    def counted(self) -> bool:
        """Whether bytes have to be counted."""
        return self.bytes_per_day is not None or self.bytes_per_month is not None or self.metered is not None


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that were sent."""

    day: int = 0
    month: int = 0
    metered: int = 0  # of the day, over metered links


def read_rules(configuration: dict[str, Any] | None) -> UploadRules:
    """The rules in the agent's configuration. Raises ValueError with what is wrong."""
    said = (configuration or {}).get("uploads", {})
    try:
        rules = msgspec.convert(said, UploadRules)
        for window in rules.windows:
            _minutes(window.start), _minutes(window.end)
            if not set(window.days) <= set(_DAYS):
                raise ValueError(f"a window's days are of {', '.join(_DAYS)}")
        if rules.time_zone:
            zoneinfo.ZoneInfo(rules.time_zone)
    except (*UNREADABLE, zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"the uploads of its configuration cannot be followed: {error}") from error
    return rules


def local_time(rules: UploadRules, now: float) -> datetime.datetime:
    """Seconds since the epoch as the device's local time."""
    zone = zoneinfo.ZoneInfo(rules.time_zone) if rules.time_zone else None
    return datetime.datetime.fromtimestamp(now, datetime.UTC).astimezone(zone)


def why_not(rules: UploadRules, size: int, used: Used, local: datetime.datetime, link: str) -> str:
    """Why so many bytes must not be sent now over the interface `link`; empty when they may."""
    if rules.windows and not any(_inside(window, local) for window in rules.windows):
        return f"it is {local:%H:%M}, outside the windows for uploads"
    if rules.bytes_per_day is not None and used.day + size > rules.bytes_per_day:
        return f"{used.day} bytes of today's {rules.bytes_per_day} are used"
    if rules.bytes_per_month is not None and used.month + size > rules.bytes_per_month:
        return f"{used.month} bytes of this month's {rules.bytes_per_month} are used"
    metered = rules.metered
    if metered is None or not is_metered(metered, link):
        return ""
    if metered.rule == "never":
        return f"{link} is a metered link"
    left = used.metered + size <= metered.bytes_per_day
    return "" if left else f"{used.metered} bytes of today's {metered.bytes_per_day} over metered links are used"


def is_metered(metered: Metered, link: str) -> bool:
    """Whether bytes over an interface cost money."""
    return any(fnmatchcase(link, pattern) for pattern in metered.interfaces)


def default_link(routes: Path = ROUTES) -> str:
    """The interface of the default route with the lowest metric (proc(5), /proc/net/route); empty without one."""
    try:
        rows = [line.split() for line in routes.read_text().splitlines()[1:]]
    except OSError:
        return ""
    found = [(int(row[6]), row[0]) for row in rows if _is_default(row)]
    return min(found)[1] if found else ""


def _is_default(row: Sequence[str]) -> bool:
    return len(row) > 7 and row[1] == row[7] == "00000000" and bool(int(row[3], 16) & _UP)


def _inside(window: Window, local: datetime.datetime) -> bool:
    """Over midnight when the end is not after the start; the day is the one it starts on."""
    start, end = _minutes(window.start), _minutes(window.end)
    minute, today = local.hour * 60 + local.minute, _DAYS[local.weekday()]
    if start < end:
        return start <= minute < end and today in window.days
    yesterday = _DAYS[local.weekday() - 1]
    return (minute >= start and today in window.days) or (minute < end and yesterday in window.days)


def _minutes(text: str) -> int:
    moment = datetime.time.fromisoformat(text) if len(text) == 5 else None
    if moment is None:
        raise ValueError(f"{text[:20]!r} is no time HH:MM")
    return moment.hour * 60 + moment.minute
