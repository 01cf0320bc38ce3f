"""Looks at the device now and then and keeps its conditions: clock, disk, memory, temperature, certificate.

What it finds is in the database too, so that `lineside agent status` shows it whether or not anybody can be told.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import msgspec

from lineside.agent.clock import DEVICE, Clock, rfc3339
from lineside.agent.clock_floor import ClockFloor
from lineside.agent.database import Database
from lineside.agent.health import sensors
from lineside.agent.health.conditions import Conditions
from lineside.agent.health.disk import DiskWatch
from lineside.agent.link import vault
from lineside.agent.paths import Paths
from lineside.contract.errors import ErrorReport, LinesideError

LOOK_SECONDS = 10.0
CERTIFICATE_SECONDS = 86_400.0
FIRST_CERTIFICATE_SECONDS = 1.0
"""After the start, which has better things to do."""
CERTIFICATE_DAYS = 14.0
"""Days before its end from which on a certificate is a condition; of a short-lived one, a sixth of its life. It is
renewed with a third of its life to go, so something keeps it from that."""
TOO_HOT = 90.0
"""°C, for sensors that do not say what is too much."""
_KEY = "conditions"


class Watch:
    """One device's conditions. `look` as often as you like; it is cheap, and does something every `LOOK_SECONDS`."""

    def __init__(
        self,
        paths: Paths,
        database: Database,
        conditions: Conditions,
        disk: DiskWatch,
        clock: Clock = DEVICE,
        machine: Path = Path("/"),
        floor: ClockFloor | None = None,
    ) -> None:
        self._paths = paths
        self._database = database
        self._conditions = conditions
        self._disk = disk
        self._clock = clock
        self._machine = machine
        self._next_look = 0.0
        self._next_certificate = time.monotonic() + FIRST_CERTIFICATE_SECONDS
        self._kept: tuple[ErrorReport, ...] | None = None
        self._floor = floor

    def look(self) -> None:
        """Set and clear what has changed."""
        look_at_clock(self._clock, self._conditions)
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            self._disk.look()
            look_at_memory(self._conditions, self._machine)
            look_at_temperature(self._conditions, self._machine)
            if self._floor is not None:
                self._floor.keep()
        if time.monotonic() >= self._next_certificate:
            self._next_certificate = time.monotonic() + CERTIFICATE_SECONDS
            if self._paths.join.exists():  # a device that is alone has none
                look_at_certificate(self._paths, self._clock, self._conditions)
        self._keep()

    def _keep(self) -> None:
        current = self._conditions.current()
        if current == self._kept:
            return
        with contextlib.suppress(sqlite3.Error, OSError), self._database.transaction() as rows:
            rows.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (_KEY, msgspec.json.encode(current)))
        self._kept = current


def kept(database: Database) -> tuple[ErrorReport, ...]:
    """The conditions that the agent on this root wrote down last."""
    with database.reading() as rows:
        found = rows.execute("SELECT value FROM facts WHERE key = ?", (_KEY,)).fetchone()
    return () if found is None else msgspec.json.decode(found[0], type=tuple[ErrorReport, ...])


def look_at_clock(clock: Clock, conditions: Conditions) -> None:
    """`device.clock_wrong` while the system's clock cannot be right."""
    why = clock.doubt()
    if why is None:
        conditions.clear("device.clock_wrong")
    elif not conditions.holds("device.clock_wrong"):
        conditions.set("device.clock_wrong", now=rfc3339(time.time()), why=why)


def look_at_memory(conditions: Conditions, machine: Path = Path("/")) -> None:
    """`device.memory_low` below a twentieth of it, until there is a tenth again."""
    available, total = sensors.memory(machine)
    if available < total / 20 and not conditions.holds("device.memory_low"):
        conditions.set("device.memory_low", available_mb=available // 1_000_000, total_mb=total // 1_000_000)
    elif available > total / 10:
        conditions.clear("device.memory_low")


def look_at_temperature(conditions: Conditions, machine: Path = Path("/")) -> None:
    """`device.too_hot` from 5 °C below what is critical on, until it is 10 °C cooler."""
    found = sensors.temperatures(machine)
    hot = [one for one in found if one.celsius >= limit_of(one)]
    if hot and not conditions.holds("device.too_hot"):
        conditions.set("device.too_hot", sensor=hot[0].sensor, celsius=f"{hot[0].celsius:.0f}")
    elif all(one.celsius < limit_of(one) - 10.0 for one in found):
        conditions.clear("device.too_hot")


def limit_of(one: sensors.Temperature) -> float:
    """The reading from which on a sensor is too hot."""
    return one.critical - 5.0 if one.critical is not None and one.critical > 40.0 else TOO_HOT


def look_at_certificate(paths: Paths, clock: Clock, conditions: Conditions) -> None:
    """`device.certificate_expires` in its last 14 days; `device.key_unusable` when it cannot be read."""
    try:
        begin, end = vault.certificate_life(paths.certificate)
    except LinesideError as error:
        conditions.put(error)
        return
    conditions.clear("device.key_unusable")
    if ends_soon(begin, end, clock.time()):
        conditions.set("device.certificate_expires", at=rfc3339(end), root=paths.root)
    else:
        conditions.clear("device.certificate_expires")


def ends_soon(begin: float, end: float, now: float) -> bool:
    """Whether a certificate, of which begin and end are given in seconds, should have been renewed long ago."""
    return end - now < min(CERTIFICATE_DAYS * 86_400, (end - begin) / 6)
