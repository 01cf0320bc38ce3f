"""`lineside demo --story drift`, held to what it promises: drift raised where the line changed and nowhere else, within
three windows; the next model better on the field set and no worse on the frozen one; drift over; in twelve minutes.

    python -m benchmarks.drift_story --json [--rounds 3]

Everything in it is the demo's own: agents, runtimes, windows over MQTT, uploads, reviews, the trigger, two trainings.
Its last line is the demo's JSON line of the last round, with `holds` by promise and the whole `minutes` of each round.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import finish

WINDOWS, MINUTES = 3, 12.0
LOSS = 0.02
"""By how much mAP50-95 may fall on the frozen side before it is lost: the limit of the gate not_worse_than_champion."""

_DEMO = (sys.executable, "-m", "lineside.cli", "demo", "--story", "drift", "--yes", "--exit", "--json")


def main() -> None:
    """Round after round, each on a root of its own."""
    options = _options()
    more = ("--epochs", "12") if options.quick else ()
    rounds = [_round(more) for _ in range(options.rounds)]
    told, _ = rounds[-1]
    holds = {name: all(_holds(*one)[name] for one in rounds) for name in _holds(*rounds[-1])}
    minutes = [round(seconds / 60, 2) for _, seconds in rounds]
    finish(told | {"holds": holds, "minutes": minutes}, as_json=options.json)
    raise SystemExit(0 if all(holds.values()) else 1)


def _round(more: tuple[str, ...]) -> tuple[dict[str, Any], float]:
    """What the demo's line says, and how many seconds it took in all."""
    with tempfile.TemporaryDirectory(prefix="lineside-story-") as folder:
        began = time.monotonic()
        command = [*_DEMO, "--root", str(Path(folder) / "root"), *more]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        return json.loads(done.stdout), time.monotonic() - began


def _holds(told: dict[str, Any], seconds: float) -> dict[str, bool]:
    """Promise by promise."""
    drift, retrain = told.get("drift") or {}, told.get("retrain") or {}
    return {
        "raised_within_3_windows": 0 < drift.get("raised_within_windows", 0) <= WINDOWS,
        "nowhere_else": drift.get("false_devices") == [],
        "captures_for_it": drift.get("captures", 0) > 0 and told.get("reviewed", 0) > 0,
        "started_by_trigger": str(retrain.get("started_by", "")).startswith("drift"),
        "better_in_the_field": retrain.get("candidate_field_map", 0.0) > retrain.get("champion_field_map", 1.0),
        "no_worse_on_the_frozen": retrain.get("frozen_map_change", -1.0) >= -LOSS,
        "cleared": drift.get("cleared") is True,
        "in_12_minutes": seconds < MINUTES * 60,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a shorter first training")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    return parser.parse_args()


if __name__ == "__main__":
    main()
