"""The device's clock, as it goes into reports."""

from __future__ import annotations

import datetime


def now() -> str:
    """The time in UTC, RFC 3339 with milliseconds."""
    moment = datetime.datetime.now(datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
