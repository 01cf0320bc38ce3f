"""A rollout to a simulated fleet on the real database and services: python -m benchmarks.rollout --devices 10000 --json

30 % of the devices are offline, 5 % fail, 2 % come and go. A good model goes canary ► 10 % ► 100 %, then a bad one
stops at the gate of its canaries. The clock is moved by hand, so the times are the control plane's work alone.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from lineside.contract.rollout import (
    OPEN,
    GateKind,
    GateRule,
    OfflineAction,
    OfflinePolicy,
    RolloutPlan,
    RolloutState,
    WaveSpec,
)
from lineside.server.testing import FakeClock, make_core
from lineside.server.testing_fleet import SimulatedFleet

PLAN = RolloutPlan(
    waves=(WaveSpec(count=20, name="canary"), WaveSpec(percent=10)),
    gates=(GateRule(kind=GateKind.FAILED, limit=0.2, min_reported=10),),
    soak_seconds=60,
    deadline_seconds=300,
    install_seconds=1800,
    offline=OfflinePolicy(action=OfflineAction.PROCEED, percent=50),
)
_ROUNDS = 200


def roll_out(fleet: SimulatedFleet, version: int) -> dict[str, Any]:
    """One rollout to its end, with what its steps took."""
    rollout, began = fleet.deploy(version, PLAN), fleet.clock.now()
    steps, idle = [], []
    for _ in range(_ROUNDS):
        steps.append(_timed(fleet))
        if fleet.show(rollout).state not in OPEN:
            break
        idle.append(_timed(fleet))
        fleet.round()
    ended = fleet.show(rollout)
    return {
        "version": version,
        "state": ended.state.value,
        "why": ended.history[-1].why,
        "waves": [wave.by for wave in ended.counts],
        "simulated_s": (fleet.clock.now() - began).total_seconds(),
        "step_max_ms": round(max(steps) * 1000, 1),
        "idle_step_ms": round(statistics.median(idle) * 1000, 1),
    }


def _timed(fleet: SimulatedFleet) -> float:
    began = time.perf_counter()
    fleet.loop.step()
    return time.perf_counter() - began


def measure(devices: int) -> dict[str, Any]:
    """A first version, a good second one, and the second one again where half of the devices cannot run it."""
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for name, bad in (("good", 0.0), ("bad", 0.5)):
            clock = FakeClock()
            core = make_core(Path(folder) / name, clock)
            fleet = SimulatedFleet(core=core, clock=clock, size=devices, bad={2: bad})
            made += [{"model": name} | roll_out(fleet, version) for version in (1, 2)]
            core.database.close()
    held = [one["state"] for one in made] == [RolloutState.SUCCEEDED.value] * 3 + [RolloutState.FAILED.value]
    return {"devices": devices, "as_it_should": held, "rollouts": made}


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="a tenth of the devices")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    arguments = parser.parse_args()
    found = measure(arguments.devices // 10 if arguments.quick else arguments.devices)
    if arguments.json:
        print(msgspec.json.encode(found).decode())
        return
    for one in found["rollouts"]:
        print(one)


if __name__ == "__main__":
    main()
