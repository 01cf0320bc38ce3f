"""Alarms of components: what a person should look at though the component runs, such as a camera that is away or a
model that was refused. A component says them in what its probe prints (`"alarms": [{"subject": "source cam-1", "code":
"source.away", "message": …}]`), each as long as it lasts; control planes show them with the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lineside.contract.errors import ErrorReport
from lineside.contract.reported import Report

MOST = 16
"""Alarms of one component that are looked at."""
LONGEST = {"subject": 128, "code": 64, "message": 1000, "next": 500, "since": 40}
"""Characters of each of its texts that are looked at."""


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should look at; it ends by itself when it is mended. `next`: what to do about it."""

    subject: str  # what it is about, in two words: "source cam-1"
    code: str
    message: str = ""
    next: str = ""
    since: str = ""  # RFC 3339


class Raised(msgspec.Struct, frozen=True):
    """An alarm, and the component that raised it."""

    component: str
    alarm: Alarm

    @property
    def where(self) -> str:
        """`COMPONENT, SUBJECT`."""
        return f"{self.component}, {self.alarm.subject}"

    def report(self) -> ErrorReport:
        """As errors are shown: the sentence says what it is about."""
        alarm = self.alarm
        params = {"component": self.component, "subject": alarm.subject, "since": alarm.since}
        return ErrorReport(code=alarm.code, message=f"{self.where}: {alarm.message}", next=alarm.next, params=params)


def alarms_of(probe: Mapping[str, Any]) -> tuple[Alarm, ...]:
    """Those in what a probe said. Any program may be a component: what cannot be read is passed over."""
    said = probe.get("alarms")
    return tuple(_read(said[:MOST])) if isinstance(said, list) else ()


def raised(report: Report | None) -> tuple[Raised, ...]:
    """The alarms of all that a device runs, as its report says."""
    running = report.running if report else ()
    return tuple(Raised(one.name, alarm) for one in running for alarm in alarms_of(one.probe))


def _read(said: list[Any]) -> Iterator[Alarm]:
    for one in said:
        texts = {key: value[:most] for key, most in LONGEST.items() if isinstance(value := _of(one, key), str)}
        if texts.get("subject") and texts.get("code"):
            yield Alarm(**texts)


def _of(one: Any, key: str) -> Any:
    return one.get(key) if isinstance(one, Mapping) else None
