"""The agent's own log: <root>/logs/agent.log, one JSON object a line, rotated like the components' logs.

    {"at": "2026-01-31T12:00:00.123Z", "level": "warning", "from": "lineside.agent.run", "message": "…", "error": "…"}

A disk that refuses it loses lines and stops nothing.
"""

from __future__ import annotations

import datetime
import logging
import os
from pathlib import Path

import msgspec

from lineside.agent.supervision.logs.files import LIMIT, rotate

BYTES = "LINESIDE_AGENT_LOG_BYTES"
"""Environment variable: after how many bytes the log is rotated (default 1 MiB; three old ones are kept)."""


class JsonLines(logging.Handler):
    """Writes records to a file; opened for each, so that it may be removed or moved at any time."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        super().__init__()
        self._path = path
        self._limit = limit

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; nothing is raised."""
        try:
            line = msgspec.json.encode(_fields(record)) + b"\n"
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                if os.fstat(handle).st_size + len(line) > self._limit:
                    rotate(self._path)
                    os.close(handle)
                    handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
                os.write(handle, line)
            finally:
                os.close(handle)
        except (OSError, TypeError, ValueError):  # logging must not end what it tells of
            return


def _fields(record: logging.LogRecord) -> dict[str, str]:
    at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    fields = {
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "from": record.name,
        "message": record.getMessage(),
    }
    if record.exc_info:
        fields["error"] = logging.Formatter().formatException(record.exc_info)
    return fields


def record(path: Path) -> JsonLines:
    """From now on, everything that is logged goes into the file as well."""
    asked = os.environ.get(BYTES, "")
    handler = JsonLines(path, int(asked) if asked.isdecimal() and int(asked) > 0 else LIMIT)
    logging.getLogger().addHandler(handler)
    return handler
