"""How long people wait for a page when the fleet is large.

python -m benchmarks.pages [--devices 10000] [--quick] [--json]

A control plane on SQLite with a database of devices in every state: reports, labels, facts, certificates, groups of
both kinds, desired documents, events. Beside it one in the middle of a rollout to as many devices, of which some are
offline, fail, or come and go. Each page is asked for over HTTP, in rounds; the figures are milliseconds until its last
byte.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.measure import interleaved, timings_table
from benchmarks.rollout import PLAN
from lineside.contract.desired import DesiredComponent
from lineside.contract.errors import ErrorReport
from lineside.contract.facts import selectable
from lineside.contract.reported import ComponentState, Phase, Report, ReportedComponent
from lineside.contract.selector import number_of
from lineside.server.access.store import EventRow
from lineside.server.clock import rfc3339
from lineside.server.database import Base
from lineside.server.devices.labels import LabelRow
from lineside.server.devices.membership import NamedGroupRow, follow_selector
from lineside.server.devices.running import DeviceComponentRow
from lineside.server.devices.store import CertificateRow, DesiredContentRow, DesiredRow, DeviceRow, GroupRow
from lineside.server.services import Core
from lineside.server.testing import FakeClock, running
from lineside.server.testing_fleet import SimulatedFleet

LIMIT = 200.0
"""Milliseconds in which a page over 10,000 devices must be there."""

OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64
_RECIPE = "sha256:" + "c" * 64
_PARTS = ("inference", "model", "camera", "exporter")
_KINDS = (  # phase, outcome, what it follows, share of the fleet
    (Phase.HEALTHY, "healthy", NEW, 0.6),
    (Phase.HEALTHY, "healthy", OLD, 0.2),
    (Phase.INSTALLING, "installing", NEW, 0.1),
    (Phase.ROLLED_BACK, "failed", NEW, 0.05),
    (Phase.FAILED, "failed", NEW, 0.05),
)
_GROUPS = {"berlin": "site=berlin", "small": "memory_mb<3000", "odd": "line in (1, 3, 5, 7)"}


def pages(names: list[str]) -> dict[str, str]:
    """What people look at, and its address."""
    middle = names[len(names) // 2]
    return {
        "overview": "/",
        "devices": "/devices",
        "devices, middle of the list": f"/devices?after={middle}",
        "devices by a part of the name": f"/devices?q={middle[-4:]}",
        "devices by labels and facts": "/devices?selector=site%3Dberlin%2C%20memory_mb%3E%3D3000%2C%20!spare",
        "devices that failed": "/devices?summary=failed",
        "one device": f"/devices/{middle}",
        "groups": "/groups",
        "a group of all": "/groups/line",
        "a group by selector": "/groups/berlin",
        "rollouts": "/rollouts",
        "adoption of versions": "/adoption",
        "events": "/events",
        "API: a page of devices": "/api/v1/devices?limit=100",
        "API: the overview": "/api/v1/overview",
        "API: groups": "/api/v1/groups",
    }


def rollout_pages(rollout: str) -> dict[str, str]:
    """What people look at while a rollout goes on, and its address."""
    return {
        "overview in a rollout": "/",
        "a rollout to all": f"/rollouts/{rollout}",
        "API: a rollout to all": f"/api/v1/rollouts/{rollout}",
    }


def in_rollout(core: Core, clock: FakeClock, count: int) -> str:
    """A fleet with its second version on the way to most of it; the id of the rollout."""
    fleet = SimulatedFleet(core=core, clock=clock, size=count)
    fleet.until_over(fleet.deploy(1, PLAN))
    rollout = fleet.deploy(2, PLAN)
    while fleet.show(rollout).wave < len(PLAN.waves):
        fleet.loop.step()
        fleet.round()
    return rollout


def fill(core: Core, count: int) -> list[str]:
    """Insert a fleet; its names."""
    chance = random.Random(5)
    names = [f"station-{number:05}" for number in range(count)]
    with core.database.write() as session:
        _contents(session)
        now = rfc3339(core.clock.now())
        for name, selector in {"line": None, **_GROUPS}.items():
            session.add(NamedGroupRow(name=name, selector=selector, description="", created_at=now))
        session.flush()
        for start in range(0, count, 1000):
            some = names[start : start + 1000]
            rows = [_device(core, chance, name) for name in some]
            _insert(session, DeviceRow, (row for row, _, _ in rows))
            _insert(session, DesiredRow, (_desired(row, content) for row, content, _ in rows))
            _insert(session, LabelRow, (label for row, _, labels in rows for label in _labels(row, labels)))
            _insert(session, GroupRow, ({"device": name, "group": "line"} for name in some))
            _insert(session, CertificateRow, (_certificate(name, now) for name in some))
            _insert(session, DeviceComponentRow, (one for row, content, _ in rows for one in _runs(row, content)))
            _insert(session, EventRow, (_event(core, chance, name) for name in some))
        for name in _GROUPS:
            follow_selector(session, name)
    return names


def _insert(session: Session, table: type[Base], rows: Iterator[dict[str, Any]]) -> None:
    session.execute(insert(table), list(rows))


def _contents(session: Session) -> None:
    for digest in (OLD, NEW):
        parts = tuple(
            DesiredComponent(name=f"tags.{part}", version="1.0.0", target=f"apps/{part}", recipe_digest=_RECIPE)
            for part in _PARTS
        )
        row = DesiredContentRow(digest=digest, components=parts, deployment="deployment-1", failure_policy="ROLLBACK")
        session.add(row)
    session.flush()


def _device(core: Core, chance: random.Random, name: str) -> tuple[dict[str, Any], str, dict[str, str]]:
    phase, outcome, content, _ = chance.choices(_KINDS, [kind[3] for kind in _KINDS])[0]
    silent = 86_400 if chance.random() < 0.1 else chance.randrange(30)
    state = "accepted" if chance.random() > 0.005 else chance.choice(("pending", "quarantined", "revoked"))
    seen = rfc3339(core.clock.now() - timedelta(seconds=silent))
    hot = ErrorReport(code="device.too_hot", message="cpu is at 92 °C.", next="Look at the device's fan.")
    conditions = (hot,) if chance.random() < 0.02 else ()
    said = {"os": "linux", "architecture": "aarch64", "memory_bytes": chance.choice((2, 4, 8)) * 10**9, "cores": 4}
    said |= {"agent": chance.choice(("0.4.0", "0.5.0")), "disk_free_bytes": chance.randrange(10**9, 10**11)}
    report = Report(
        device=name,
        sequence=7,
        at=seen,
        revision=2,
        phase=phase,
        running=tuple(
            ReportedComponent(name=f"tags.{part}", version="1.0.0", recipe_digest=_RECIPE, state=ComponentState.RUNNING)
            for part in _PARTS
        ),
        conditions=conditions,
        facts=said,
    )
    row = {
        "name": name,
        "state": state,
        "twin": False,
        "key": "k" * 180,
        "certificate": "c" * 800,
        "token": "",
        "facts": selectable(said),
        "os": "linux",
        "architecture": "aarch64",
        "joined_at": seen,
        "last_seen": seen,
        "sequence": 7,
        "report": report,
        "revision": 2,
        "phase": phase.value,
        "outcome": outcome,
        "conditions": len(conditions),
        "fingerprint": name.encode().hex().ljust(64, "0"),
    }
    labels = {"site": chance.choice(("berlin", "bonn", "hamburg")), "line": str(chance.randrange(1, 9))}
    return row, content, labels | ({"spare": "yes"} if chance.random() < 0.1 else {})


def _labels(row: dict[str, Any], labels: dict[str, str]) -> Iterator[dict[str, Any]]:
    for origin, values in (("person", labels), ("fact", row["facts"])):
        for key, value in values.items():
            number = number_of(key, value)
            yield {"device": row["name"], "key": key, "value": value, "number": number, "origin": origin}


def _desired(row: dict[str, Any], content: str) -> dict[str, Any]:
    return {"device": row["name"], "revision": 2, "content": content}


def _certificate(name: str, now: str) -> dict[str, Any]:
    fingerprint = name.encode().hex().ljust(64, "0")
    row = {"serial": fingerprint[:40], "device": name, "fingerprint": fingerprint, "purpose": "device"}
    return row | {"ends_at": now, "state": "good", "state_at": now}


def _runs(row: dict[str, Any], content: str) -> Iterator[dict[str, Any]]:
    version = "1.0.0" if content == NEW else "0.9.0"
    for part in _PARTS:
        yield {"device": row["name"], "name": f"tags.{part}", "version": version, "digest": _RECIPE}


def _event(core: Core, chance: random.Random, name: str) -> dict[str, Any]:
    at = rfc3339(core.clock.now() - timedelta(seconds=chance.randrange(86_400)))
    return {"at": at, "kind": "device.healthy", "subject": name, "message": "revision 2: healthy", "actor": name}


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description="How long people wait for a page of a large fleet.")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder, clock = Path(stack.enter_context(tempfile.TemporaryDirectory())), FakeClock()
        fleet, line = stack.enter_context(running(folder / "a")), stack.enter_context(running(folder / "b", clock))
        looked_at = [(fleet, pages(fill(fleet.core, options.devices)))]
        looked_at.append((line, rollout_pages(in_rollout(line.core, clock, options.devices))))
        wanted = {}
        for lineside, addresses in looked_at:
            client = stack.enter_context(httpx.Client(base_url=lineside.people_url, timeout=60))
            wanted |= {name: _ask(client, address) for name, address in addresses.items()}
        timings = interleaved(wanted, rounds=3 if options.quick else 7, calls=3)
        worked = {name: statistics.median(_worked(ask) for _ in range(5)) for name, ask in wanted.items()}
    print(timings_table(timings))
    print("\nprocessor time, ms, client included:", ", ".join(f"{name} {ms:.0f}" for name, ms in worked.items()))
    slowest = max(timings, key=lambda name: timings[name].median)
    print(f"\nslowest of {len(timings)} over {options.devices} devices: {slowest}, {timings[slowest].median:.0f} ms")
    if options.json:
        figures = {
            name: {"median_ms": one.median, "low": one.low, "high": one.high, "cpu_ms": worked[name]}
            for name, one in timings.items()
        }
        worst = timings[slowest].median
        found = {"devices": options.devices, "slowest": slowest, "slowest_ms": worst, "within": worst < LIMIT}
        print(json.dumps(found | {"pages": figures}))


def _ask(client: httpx.Client, address: str) -> Callable[[], object]:
    def ask() -> object:
        return client.get(address).raise_for_status()

    return ask


def _worked(ask: Callable[[], object]) -> float:
    began = time.process_time()
    ask()
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    main()
