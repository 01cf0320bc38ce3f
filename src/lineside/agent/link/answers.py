"""Where the answers to inquiries come from on this device: the log files, and the diagnostic checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from lineside.agent.link.inquiries import LogReader, Trials
from lineside.agent.link.pictures import live_picture
from lineside.agent.paths import Paths
from lineside.agent.supervision.logs import reading
from lineside.contract.errors import LinesideError
from lineside.contract.ids import is_name
from lineside.contract.inquiry import CheckResult, LivePicture
from lineside.contract.reading import UNREADABLE

AGENT = "agent"
"""The name of the agent's own log."""


class DeviceSources:
    """The logs below an agent's root, and its checks."""

    def __init__(
        self,
        paths: Paths,
        device: str,
        checks: Callable[[], Iterator[CheckResult]],
        trials: Callable[[], Trials] | None = None,
    ) -> None:
        self._paths, self._device, self._checks, self._trials = paths, device, checks, trials

    def log(self, component: str | None, lines: int) -> LogReader:
        """See `Sources.log`."""
        if component is None:
            return AgentLog(reading.LogReader(self._paths.log(AGENT), lines))
        if not is_name(component) or not self._paths.log(component).exists():
            raise LinesideError("inquiry.no_log", device=self._device, component=component)
        return reading.LogReader(self._paths.log(component), lines)

    def checks(self) -> Iterator[CheckResult]:
        """See `Sources.checks`."""
        return self._checks()

    def picture(self, component: str | None) -> LivePicture | None:
        """See `Sources.picture`."""
        if component is None or not is_name(component):
            raise LinesideError("inquiry.no_picture", component=component, why="it is no component")
        return live_picture(component, self._paths.work(component))

    def trials(self) -> Trials:
        """See `Sources.trials`."""
        if self._trials is None:
            raise LinesideError("twin.not_a_twin", device=self._device)
        return self._trials()


class AgentLog:
    """The agent's own log, which is JSON, as lines for people."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    def read(self, limit: int) -> bytes:
        """See `LogReader.read`. The text is shorter than the JSON."""
        data = self._reader.read(limit)
        return b"".join(_readable(line) for line in data.splitlines(keepends=True))

    def close(self) -> None:
        """Give the file back."""
        self._reader.close()


class _Record(msgspec.Struct, frozen=True):
    at: str
    level: str
    message: str
    error: str = ""


def _readable(line: bytes) -> bytes:
    """One record as `2026-01-31T12:00:00.123Z warning message`; what is no record stays as it is."""
    try:
        record = msgspec.json.decode(line, type=_Record)
    except UNREADABLE:
        return line
    text = f"{record.at} {record.level:<7} {record.message}\n"
    return (text + record.error.rstrip("\n") + "\n" if record.error else text).encode()
