"""One structured line an important event, on standard output, which the agent keeps as the component's log."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import msgspec


def rfc3339(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def announce(event: str, **facts: Any) -> None:
    """Prints `{"at": …, "event": …, …facts}`."""
    line = {"at": rfc3339(datetime.now(UTC).timestamp()), "event": event, **facts}
    sys.stdout.write(msgspec.json.encode(line, enc_hook=str).decode() + "\n")
    sys.stdout.flush()
