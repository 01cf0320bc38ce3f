"""Two ways to put load on a server: every device once an interval, as a fleet does, and as fast as it answers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.fleet.device import Device, Heard
from benchmarks.fleet.process import Server

JITTER = (0.7, 0.9)  # of the interval, as agents do
TOKEN_SECONDS = 570.0


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: check-ins, wall and the server's CPU seconds, what was heard."""

    checkins: int
    wall: float
    cpu: float
    heard: Heard
    late_ms: float = 0.0  # how late the simulator itself was, 95 of 100 times at most

    @property
    def per_cpu_second(self) -> float:
        """Check-ins for each CPU second of the server."""
        return self.checkins / max(self.cpu, 0.001)


async def arrive(devices: Sequence[Device], seconds: float) -> Heard:
    """Every device connects and checks in for the first time, spread over some seconds."""
    heard, late = Heard(), list[float]()
    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number, device in enumerate(devices):
            due = started + seconds * number / len(devices)
            tasks.create_task(_at(due, device, heard, late))
    now = time.monotonic()
    for device in devices:
        device.scatter(now, TOKEN_SECONDS)
    return heard


async def paced(server: Server, devices: Sequence[Device], interval: float, seconds: float) -> Load:
    """Every device once an interval, with an agent's jitter, for some seconds."""
    heard, late = Heard(), list[float]()
    cpu, started = server.cpu_seconds(), time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for device in devices:
            tasks.create_task(_live(device, started, interval, seconds, heard, late))
    wall = time.monotonic() - started
    late.sort()
    count = len(heard.times["check-in"])
    return Load(count, wall, server.cpu_seconds() - cpu, heard, late[int(len(late) * 0.95)] * 1e3)


async def saturated(server: Server, devices: Sequence[Device], interval: float, rounds: int) -> Load:
    """Each of some devices again as soon as it was answered. Its tokens and heartbeats come as often, for each
    check-in, as they would if an interval lay between."""
    heard = Heard()
    begin = time.monotonic()
    for device in devices:
        device.scatter(begin, TOKEN_SECONDS)
    cpu, started = server.cpu_seconds(), time.monotonic()

    async def hurry(device: Device) -> None:
        for number in range(rounds):
            await device.check_in(heard, begin + number * interval)

    await asyncio.gather(*(hurry(device) for device in devices))
    wall = time.monotonic() - started
    return Load(len(heard.times["check-in"]), wall, server.cpu_seconds() - cpu, heard)


async def _at(due: float, device: Device, heard: Heard, late: list[float]) -> None:
    await asyncio.sleep(max(0.0, due - time.monotonic()))
    now = time.monotonic()
    late.append(now - due)
    await device.check_in(heard, now)


async def _live(
    device: Device, started: float, interval: float, seconds: float, heard: Heard, late: list[float]
) -> None:
    due = started + random.random() * interval * random.uniform(*JITTER)  # anywhere between two
    while due < started + seconds:
        await _at(due, device, heard, late)
        due = max(due + interval * random.uniform(*JITTER), time.monotonic())
