"""Agents behind a bad network for as long as one likes: `python -m benchmarks.network --minutes 30 --seed 7`.

Real agents, a real control plane, and a TCP proxy with ever other weather between them. After each storm the weather
is fair, and each device and the control plane must agree: revision, phase, digests, and every result exactly once.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.network.proxy import Weather
from tests.network.storm import Storm


def weather(dice: random.Random) -> Weather:
    """Some of what networks do, together."""

    def perhaps(chance: float, low: float, high: float) -> float:
        return dice.uniform(low, high) if dice.random() < chance else 0.0

    return Weather(
        latency=perhaps(0.5, 0.01, 0.4),
        bandwidth=perhaps(0.3, 50_000, 1_000_000),
        stall=perhaps(0.4, 0.005, 0.05),
        stall_seconds=dice.uniform(0.2, 2.0),
        cut=perhaps(0.5, 0.002, 0.05),
        half_open=perhaps(0.3, 0.1, 0.7),
        freeze=perhaps(0.2, 0.001, 0.02),
        deaf=perhaps(0.3, 0.1, 0.9),
        refuse=dice.random() < 0.1,
    )


def main() -> int:
    """Print one line a storm, and the sum as JSON; 1 when something was lost or did not agree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.network")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--devices", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="half a minute")
    options = parser.parse_args()
    dice, storms, slowest = random.Random(options.seed), 0, 0.0
    end = time.monotonic() + 60 * (0.5 if options.quick else options.minutes)
    with (
        tempfile.TemporaryDirectory(prefix="lineside-network-") as folder,
        Storm(Path(folder), options.seed, options.devices) as storm,
    ):
        while time.monotonic() < end:
            for _ in range(dice.randint(1, 4)):
                storm.blow(weather(dice), dice.uniform(2.0, 8.0), broker=weather(dice))
            began = time.monotonic()
            storm.settle()
            took = time.monotonic() - began
            storms, slowest = storms + 1, max(slowest, took)
            print(f"storm {storms}: all devices agree after {took:.1f} s", file=sys.stderr, flush=True)
        seen = dict(Counter(storm.api.counted) + Counter(storm.broker.counted))
        results = sum(camera.made for camera in storm.cameras.values())
        lost, doubled = storm.lost_and_doubled()
    found = {"storms": storms, "results": results, "lost": lost, "doubled": doubled, "settled_in_s": round(slowest, 1)}
    print(json.dumps({**found, "seed": options.seed, "network": seen}))
    return int(bool(lost or doubled))


if __name__ == "__main__":
    raise SystemExit(main())
