"""One structured line an important event, on standard output, which the agent keeps as the component's log."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

_FIRST, _LAST = -62_135_596_800.0, 253_402_300_799.9995  # of the years 1 and 9999


def rfc3339(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC with milliseconds. What lies outside of the years 1 to 9999 becomes the
    nearest moment within: a file or a video may carry any time."""
    moment = datetime.fromtimestamp(min(_LAST, max(_FIRST, seconds)), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def announce(event: str, **facts: Any) -> None:
    """Prints `{"at": …, "event": …, …facts}`."""
    line = {"at": rfc3339(datetime.now(UTC).timestamp()), "event": event, **facts}
    sys.stdout.write(msgspec.json.encode(line, enc_hook=str).decode() + "\n")
    sys.stdout.flush()
