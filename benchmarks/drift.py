"""How often healthy devices are said to drift, and how soon devices that do.

python -m benchmarks.drift [--quick] [--json] [--table]

50 devices run for 30 days in daylight, weather and with changing products (`drift_world`), and are judged by the very
code that devices and the control plane judge by; in the first world five times, each time with other devices.
`false_a_year`: alarms of healthy devices, by device and year, the first week included, in which there is only the
model's baseline. `found`: of shifts by one standard deviation of the baseline, begun at any moment after the first
week, the share that is held within three windows; a new class is a tenth of the detections.
`--table` prints what docs/drift.md shows.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from benchmarks.drift_world import DAY, DIGEST, KINDS, Device, Hardness, new_class
from benchmarks.measure import table
from lineside.contract.drift_distance import Held, Usual, distance
from lineside.contract.drift_judge import Judge
from lineside.contract.drift_usual import DAYS, usual_of_tests

NEW = "a class that is new"
SHIFTS: dict[str, tuple[str, float]] = {
    "confidence down": ("confidence", -1.0),
    "detections down": ("detections", -1.0),
    "box area up": ("box_area", 1.0),
    "place sideways": ("place_x", 1.0),
    "sharpness down": ("sharpness", -1.0),
    "brightness down": ("brightness", -1.0),
    "warmth up": ("warmth", 1.0),
    "latency up": ("latency", 1.0),
}
WORLDS: dict[str, Hardness] = {
    "as described": Hardness(),
    "without daylight": Hardness(light=0.0),
    "products twice as different": Hardness(products=2.0),
    "a third of the daylight on dark days": Hardness(overcast=0.33),
    "a frame every ten seconds": Hardness(frames=(60, 60)),
}
ONE_OF = "as described"
DEVICES, RUNS = 50, 5


class Judged(NamedTuple):
    """What came of one device."""

    alarms: int
    early: int  # of them, in the first week
    quantities: Counter[str]
    found: dict[str, list[bool]]


def judged(device: Device, days: int, tries: int, drawn: np.random.Generator) -> Judged:
    """A device through its days, and shifts from some of its windows on."""
    judge = Judge(usual_of_tests(device.baseline(), DIGEST))
    alarms = early = 0
    quantities: Counter[str] = Counter()
    before: set[str] = set()
    for number in range(days * DAY):
        judge.after(device.window(number))
        sides = set(judge.held.sides)
        if sides and not before:
            alarms += 1
            early += number < DAYS * DAY
            quantities.update(sides)
        before = sides
    found: dict[str, list[bool]] = {}
    usual = judge.usual
    if usual is not None and usual.field:
        for name in (*SHIFTS, NEW):
            begins = drawn.integers(DAYS * DAY, days * DAY - 3, tries)
            found[name] = [_found(device, usual, name, int(begin)) for begin in begins]
    return Judged(alarms, early, quantities, found)


def _found(device: Device, usual: Usual, name: str, begin: int) -> bool:
    held = Held()
    quantity, by = SHIFTS.get(name, ("class:crack", 0.0))
    if by and quantity not in usual.levels:
        return False  # too few values: nobody watches it
    shifts = {quantity: by * usual.levels[quantity].spread} if by else {}
    for number in range(begin, begin + 3):
        window = device.window(number, shifts)
        held = held.after(distance(window if by else new_class(window, "crack", 0.1), usual))
        if quantity in held.sides:
            return True
    return False


class Task(NamedTuple):
    """One device of a world, by its number: the same whatever runs beside it."""

    hard: Hardness
    days: int
    tries: int
    seed: tuple[int, int]

    def __call__(self) -> Judged:
        drawn = np.random.default_rng(self.seed)
        return judged(Device(self.days, self.hard, drawn), self.days, self.tries, drawn)


def world(hard: Hardness, devices: int, days: int, tries: int, seed: int, processes: int) -> dict[str, object]:
    """One world's figures; `runs` are those of each 50 devices."""
    tasks = [Task(hard, days, tries, (seed, number)) for number in range(devices)]
    with ProcessPoolExecutor(processes) as pool:
        all_ = list(pool.map(Task.__call__, tasks))
    runs = [all_[at : at + DEVICES] for at in range(0, devices, DEVICES)]
    quantities: Counter[str] = Counter()
    for one in all_:
        quantities.update(one.quantities)
    return {
        "devices": devices,
        "device_years": round(devices * days / 365, 2),
        "false_alarms": sum(one.alarms for one in all_),
        "false_alarms_first_week": sum(one.early for one in all_),
        "devices_with_false_alarms": sum(bool(one.alarms) for one in all_),
        "false_a_year": _a_year(all_, days),
        "by_quantity": dict(quantities.most_common()),
        "learned": sum(bool(one.found) for one in all_),
        "found": _found_by(all_),
        "runs": [{"false_a_year": _a_year(run, days), "found": _found_by(run)} for run in runs],
    }


def _a_year(some: Sequence[Judged], days: int) -> float:
    return round(sum(one.alarms for one in some) * 365 / (len(some) * days), 2)


def _found_by(some: Sequence[Judged]) -> dict[str, float]:
    return {name: _share([hit for one in some for hit in one.found.get(name, [])]) for name in (*SHIFTS, NEW)}


def _share(hits: list[bool]) -> float:
    return round(sum(hits) / len(hits), 3) if hits else 0.0


def rows_of(worlds: dict[str, dict[str, object]]) -> list[list[str]]:
    """A column a world."""
    heads = ["", "false alarms a device-year", "of the devices, with any", *SHIFTS, NEW]
    rows = [heads]
    for name, told in worlds.items():
        found, runs = told["found"], told["runs"]
        assert isinstance(found, dict)
        assert isinstance(runs, list)
        years = [run["false_a_year"] for run in runs]
        spread = f" ({min(years)} to {max(years)})" if len(runs) > 1 else ""
        some = f"{told['devices_with_false_alarms']} of {told['devices']}"
        rows.append([name, f"{told['false_a_year']}{spread}", some, *(f"{share:.1%}" for share in found.values())])
    return [list(column) for column in zip(*rows, strict=True)]


def markdown(rows: list[list[str]]) -> str:
    """The table of the docs."""
    first, *others = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([first, "|---" * len(rows[0]) + "|", *others])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 devices and one world")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--table", action="store_true", help="the table of docs/drift.md alone")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at once")
    chosen = parser.parse_args()
    devices, days, tries = 10 if chosen.quick else DEVICES, 30, 20
    worlds = {}
    for number, (name, hard) in enumerate(WORLDS.items()):
        if not chosen.quick or name == ONE_OF:
            runs = 1 if chosen.quick or name != ONE_OF else RUNS
            worlds[name] = world(hard, devices * runs, days, tries, number, chosen.processes)
    first = worlds[ONE_OF]
    report = {"days": days, "quantities": len(KINDS) + 4, **first, "worlds": worlds}
    if chosen.json:
        print(json.dumps(report))
    else:
        print(markdown(rows_of(worlds)) if chosen.table else table(rows_of(worlds)))


if __name__ == "__main__":
    main()
