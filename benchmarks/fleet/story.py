"""The parts of the benchmark, one after the other, on one root."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sqlite3
import ssl
import statistics
import time
from pathlib import Path

from benchmarks.fleet import load
from benchmarks.fleet.device import Device, Heard
from benchmarks.fleet.load import Load
from benchmarks.fleet.notify import PROGRAM, Listeners, Mosquitto
from benchmarks.fleet.plane import Plane
from benchmarks.fleet.population import Member, populate
from benchmarks.fleet.process import Server
from benchmarks.fleet.tables import costs_table, fleet_table, share, times_table
from lineside.contract.rollout import RolloutState

BUSY = 8  # devices that ask again at once; with many the usual way's threads only wait for SQLite's lock


class Story:
    """Collects what is reported."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options, self._folder = options, folder
        self._root = folder / "root"
        self._settings = ["--poll-seconds", str(options.interval)]
        if options.database_url:
            self._settings += ["--database-url", options.database_url]
        self._report: dict[str, object] = {"devices": options.devices, "interval_s": options.interval}
        self._rows: list[tuple[str, str]] = []

    async def run(self) -> dict[str, object]:
        """All parts; the numbers that count."""
        started = time.monotonic()
        members = populate(self._root, self._options.database_url, self._options.devices)
        print(f"{len(members)} devices put into the database in {time.monotonic() - started:.0f} s\n")
        await self._costs(members[:BUSY])
        await self._fleet(members)
        if PROGRAM.exists():
            await self._broker(members)
        else:
            print("no Mosquitto here: notification is not measured")
        print(fleet_table(self._rows))
        return self._report

    # --- what a check-in costs ------------------------------------------------------------------------------------

    async def _costs(self, members: list[Member]) -> None:
        rounds = 3 if self._options.quick else 7
        ours, usual = list[Load](), list[Load]()
        for number in range(rounds + 1):  # the first warms up
            with Plane(self._root, self._settings) as plane:
                mine = await self._busy(plane, plane.device_port, members, 2 * number, 150)
            if self._options.database_url:
                break  # the usual way is written for SQLite
            port = _free_port()
            with Server(
                ["-m", "benchmarks.fleet.usual", str(self._root), str(port)], self._root / "usual.err"
            ) as other:
                theirs = await self._busy(other, port, members, 2 * number + 1, 50)
            if number:
                ours.append(mine)
                usual.append(theirs)
        ours = ours or [mine]
        print(costs_table({"Lineside": ours, "FastAPI + SQLAlchemy": usual} if usual else {"Lineside": ours}))
        rate = statistics.median(one.per_cpu_second for one in ours)
        self._report["checkins_per_cpu_s"] = round(rate)
        if usual:
            ratios = [one.per_cpu_second / other.per_cpu_second for one, other in zip(ours, usual, strict=True)]
            self._report["ratio_to_usual"] = round(statistics.median(ratios), 1)
            spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
            self._rows.append(
                ("check-ins for each CPU second, Lineside : usual", f"{statistics.median(ratios):.1f} ({spread})")
            )

    async def _busy(self, server: Server, port: int, members: list[Member], turn: int, rounds: int) -> Load:
        tls = self._tls()
        devices = [Device(member, port, tls, first=turn * 100_000) for member in members]
        await _reached(port)
        heard = await load.arrive(devices, 0.5)
        _check(heard)
        found = await load.saturated(server, devices, 60.0, rounds)
        _check(found.heard)
        for device in devices:
            device.close()
        return found

    # --- a fleet, and a rollout without a broker ------------------------------------------------------------------

    async def _fleet(self, members: list[Member]) -> None:
        interval, rounds = self._options.interval, 1 if self._options.quick else 5
        with Plane(self._root, self._settings) as plane:
            empty = plane.rss_mb()
            devices = [Device(member, plane.device_port, self._tls(), first=10**7) for member in members]
            arrived = await load.arrive(devices, interval)
            written, rows = plane.written_bytes(), self._database_rows()
            steady = await load.paced(plane, devices, interval, interval * rounds)
            written, rows = plane.written_bytes() - written, self._database_rows() - rows
            print(times_table("every device connects for the first time", arrived.times))
            print(times_table("one check-in an interval", steady.heard.times))
            await self._rollout(plane, devices, interval)
            self._rows += [
                ("check-ins a second", f"{steady.checkins / steady.wall:.0f}"),
                ("server's share of one core meanwhile", f"{steady.cpu / steady.wall:.0%}"),
                ("server's memory, no device connected, MB", f"{empty:.0f}"),
                ("server's memory, all connected, MB", f"{plane.rss_mb():.0f}"),
                ("database rows added a device-day", f"{rows / len(devices) / steady.wall * 86_400:,.1f}"),
                ("bytes written to disk a device-day", f"{written / len(devices) / steady.wall * 86_400:,.0f}"),
                ("simulator late, 95 of 100 at most, ms", f"{steady.late_ms:.1f}"),
            ]
            errors = arrived.errors + steady.heard.errors
            self._report |= {
                "p95_ms": round(share(steady.heard.times["check-in"], 0.95), 1),
                "p99_ms": round(share(steady.heard.times["check-in"], 0.99), 1),
                "errors": len(errors),
                "server_rss_mb": round(plane.rss_mb()),
            }
            for error in errors[:5]:
                print(error)
            for device in devices:
                device.close()

    async def _rollout(self, plane: Plane, devices: list[Device], interval: float) -> None:
        plane.release("2.0.0", self._folder)
        started = time.monotonic()
        made = await asyncio.to_thread(plane.deploy, "2.0.0")
        asked = time.monotonic() - started
        going = asyncio.create_task(load.paced(plane, devices, interval, 2.5 * interval))
        told = finished = 0.0
        while not going.done() and not finished:
            await asyncio.sleep(0.5)
            now = time.monotonic() - started
            if not told and all(device.deployment == made.id for device in devices):
                told = now
            if int(now) % 3 == 0 and (await asyncio.to_thread(plane.rollout, made.id)).state is RolloutState.SUCCEEDED:
                finished = now
        meanwhile = await going
        print(times_table("one check-in an interval, a rollout to all under way", meanwhile.heard.times))
        self._report["p95_ms_in_rollout"] = round(share(meanwhile.heard.times["check-in"], 0.95), 1)
        self._report["errors_in_rollout"] = len(meanwhile.heard.errors)
        self._report["notify_all_s_without_broker"] = round(told, 1)
        self._report["rollout_s"] = round(finished, 1)
        self._rows.append(("rollout to all, no broker: the request took, s", f"{asked:.1f}"))
        self._rows.append(("the last device has its document after, s", f"{told:.1f}"))
        self._rows.append(("the rollout has succeeded after, s", f"{finished:.1f}" if finished else "not in time"))

    # --- notification ---------------------------------------------------------------------------------------------

    async def _broker(self, members: list[Member]) -> None:
        listeners = Listeners()
        with Mosquitto(self._folder / "mosquitto", self._root) as broker:
            url = f"mqtts://127.0.0.1:{broker.port}"
            with Plane(self._root, [*self._settings, "--mqtt-url", url]) as plane:
                started = time.monotonic()
                ca = (self._root / "keys" / "ca.pem").read_text()
                await listeners.connect(members, ca, broker.port, self._folder)
                print(f"{len(members)} MQTT connections in {time.monotonic() - started:.0f} s")
                found = []
                for number in range(3):
                    version = f"3.{number}.0"
                    plane.release(version, self._folder)
                    listeners.hinted.clear()
                    started = time.monotonic()
                    await asyncio.to_thread(plane.deploy, version)
                    if not await listeners.all_hinted(len(members), 60.0):
                        print(f"only {len(listeners.hinted)} devices were hinted")
                    found.append(max(listeners.hinted.values(), default=started + 60) - started)
                listeners.close()
        self._report["notify_all_s"] = round(statistics.median(found), 2)
        each = ", ".join(f"{one:.2f}" for one in found)
        self._rows.append(("deploy to the last device's hint, Mosquitto, s", each))

    def _database_rows(self) -> int:
        """Of all tables together; used assertions are forgotten after minutes, and so not counted."""
        if self._options.database_url:
            return 0
        with sqlite3.connect(f"file:{self._root / 'lineside.db'}?mode=ro", uri=True) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            names = [name for (name,) in tables if name != "used_assertions"]
            return sum(database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names)

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self._root / "keys" / "ca.pem"))


def _check(heard: Heard) -> None:
    if heard.errors:
        raise SystemExit(f"{len(heard.errors)} errors, the first: {heard.errors[0]}")


async def _reached(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        await asyncio.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
