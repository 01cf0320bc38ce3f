"""How many bytes of captures were sent, by day: what budgets are held against, over restarts and clocks that jump.

Bytes are written down before they are sent, so that a power cut can only make the device send less. A day that has not
come yet was written while the clock was wrong: what it holds counts as sent today.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import msgspec

from lineside.agent.durable import write_atomically
from lineside.agent.link.upload_rules import Used
from lineside.contract.reading import UNREADABLE

_KEPT = 70  # days: this month's, and the month before while the clock may go back


class _Day(msgspec.Struct):
    sent: int = 0
    metered: int = 0


class UploadLedger:
    """One device's, in a file. `today` is the date in the device's local time, by the best knowledge there is. Used by
    one thread."""

    def __init__(self, file: Path, today: Callable[[], datetime.date]) -> None:
        self._file = file
        self._today = today
        self._days = self._read()

    def used(self) -> Used:
        """What was sent today and this month."""
        today = self._settled()
        days = self._days
        month = sum(day.sent for date, day in days.items() if date[:7] == today[:7])
        now = days.get(today, _Day())
        return Used(day=now.sent, month=month, metered=now.metered)

    def reserve(self, size: int, *, metered: bool) -> None:
        """So many bytes are about to be sent. Raises OSError: then they must not be."""
        self._add(size, metered)
        try:
            self._write()
        except OSError:
            self._add(-size, metered)
            raise

    def give_back(self, size: int, *, metered: bool) -> None:
        """So many of the bytes that were reserved last were not sent; it is on the disk with the next reservation."""
        self._add(-size, metered)

    def _add(self, size: int, metered: bool) -> None:
        day = self._days.setdefault(self._settled(), _Day())
        day.sent = max(0, day.sent + size)
        if metered:
            day.metered = max(0, day.metered + size)

    def _settled(self) -> str:
        """Today, with what lies in the future moved here."""
        today = self._today().isoformat()
        for date in [date for date in self._days if date > today]:
            early, day = self._days.pop(date), self._days.setdefault(today, _Day())
            day.sent += early.sent
            day.metered += early.metered
        return today

    def _write(self) -> None:
        self._days = dict(sorted(self._days.items())[-_KEPT:])
        write_atomically(self._file, msgspec.json.encode(self._days), 0o600)

    def _read(self) -> dict[str, _Day]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, _Day])
        except FileNotFoundError:
            return {}
        except (OSError, *UNREADABLE):
            return {}
