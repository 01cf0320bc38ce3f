"""How much of the machine is left for deciding when a 1080p JPEG comes in and a published result goes out.

Contenders, each a process of its own, in turn in every round, the order turned:

- the limit: ONNX Runtime alone, fed with ready tensors of the model's input, a square; one session over all cores, or
  one of one thread a core, whichever is faster;
- `lineside.runtime run` as it is installed: files into its inbox, results over a local Mosquitto at QoS 1, each on disk
  before it is sent. The model's file is as a training here makes it: of the square it gets what the picture fills, and
  not the padding (`size_divisor`). `of_limit_…` is its share of the limit all the same;
- the limit without padding: ONNX Runtime alone, one thread a core, fed with tensors of the size that Lineside feeds;
  `of_cut_limit_…` is Lineside's share of it, the price of all but the network;
- Lineside with a file of one size, as many that are imported: `…_whole_…`, against the limit;
- Lineside with a model that asks for OpenVINO, where that is installed; its figures are named so (`…_openvino_…`);
- the usual loop (`benchmarks.runtime_usual`): OpenCV, numpy, ONNX Runtime with its defaults, json, paho; the square.

Models of 320 and 640 pixels, 3 MB, as costly as a YOLO nano (`benchmarks.detector`). A frame's time is from one result
to the next as a subscriber hears them, while frames wait; its CPU time is what the kernel counts for the process.
Latency is from a frame's arrival to its result at the subscriber, at 70 % of what the usual loop can do, frames coming
as from cameras that know nothing of each other (gaps by chance, the same for both). The spool and swaps of models have
benchmarks of their own, which are run at the end: `benchmarks.runtime_spool`, `benchmarks.runtime_swap`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import finish, options, table
from benchmarks.runtime_rig import Broker, Ear, Limit, Ours, Usual, model_folder, photograph
from lineside.runtime.model import MODEL_FILE
from lineside.runtime.preprocess import geometry_of

SIDES = (320, 640)
LOAD = 0.7  # of what the usual loop can do
ONE, EACH, OURS, USUAL = "limit: one session", "limit: one a core", "lineside", "usual loop"
CUT, SQUARE, OPENVINO = "limit without padding", "lineside, file of one size", "lineside, OpenVINO"
ELSEWHERE = (("runtime_spool", "spool_per_s"), ("runtime_swap", "swap_gap_ms"))
_SIZE = (1920, 1080)  # of the picture


class Cost(NamedTuple):
    """Milliseconds a frame."""

    wall: float
    cpu: float


class Plan(NamedTuple):
    """How long it takes."""

    rounds: int
    frames: dict[int, int]  # a window
    seconds: float  # of a limit's window
    paced: int  # frames of a paced window
    starts: int


QUICK = Plan(5, {320: 60, 640: 24}, 1.5, 150, 5)
WHOLE = Plan(11, {320: 200, 640: 80}, 4.0, 400, 9)


class Bench:
    """The stage for one size of model: both loops and both limits stand ready all the time."""

    def __init__(self, folder: Path, side: int, data: bytes, broker: Broker, ear: Ear) -> None:
        self.side, self._ear = side, ear
        self._folder = folder / str(side)
        self._folder.mkdir()
        self._picture = self._folder / "picture"
        self._picture.write_bytes(data)
        self.component, square = self._folder / "model", self._folder / "square"
        fed = geometry_of(*_SIZE, model_folder(self.component, side, data))
        signature = model_folder(square, side, data, any_size=False)
        cut, file, cores = self.component / MODEL_FILE, square / MODEL_FILE, len(os.sched_getaffinity(0))
        self.limits = {
            ONE: Limit(file, 1, cores, (side, side)),
            EACH: Limit(file, cores, 1, (side, side)),
            CUT: Limit(cut, cores, 1, (fed.input_width, fed.input_height)),
        }
        self.ours = Ours(self.component, self._folder / "work", broker.port)
        self.usual = Usual(file, signature, broker.port)
        self.loops: dict[str, Ours | Usual] = {OURS: self.ours, USUAL: self.usual}
        self.loops[SQUARE] = Ours(square, self._folder / "work-square", broker.port)
        if importlib.util.find_spec("openvino"):
            other = self._folder / "openvino"
            model_folder(other, side, data, engine="openvino")
            self.loops[OPENVINO] = Ours(other, self._folder / "work-openvino", broker.port)
        self._numbers = 0
        for loop in self.loops.values():
            self.window(loop, 4)

    def window(self, loop: Ours | Usual, frames: int) -> Cost:
        """Frames as fast as they are taken."""
        names = self._names(frames)
        cpu = loop.cpu()
        for name in names:
            loop.put(self._picture, name)
        heard = sorted(self._ear.wait(names))
        spent = loop.cpu() - cpu
        loop.forget(self._picture, names)
        return Cost((heard[-1] - heard[0]) / (frames - 1) * 1e3, spent / frames * 1e3)

    def paced(self, loop: Ours | Usual, frames: int, mean: float, seed: int) -> list[float]:
        """Milliseconds from arrival to result of frames whose gaps are `mean` seconds on average."""
        chance, names, arrived = random.Random(seed), self._names(frames), []
        due = time.perf_counter()
        for name in names:
            due += chance.expovariate(1 / mean)
            time.sleep(max(0.0, due - time.perf_counter()))
            arrived.append(time.perf_counter())
            loop.put(self._picture, name)
        heard = self._ear.wait(names)
        loop.forget(self._picture, names)
        return [(end - start) * 1e3 for start, end in zip(arrived, heard, strict=True)]

    def first_result(self, port: int) -> float:
        """Seconds from the start of a process to its first result, of an image that lies there."""
        (name,) = self._names(1)
        work = self._folder / f"fresh-{name}"
        inbox = work / "inbox"
        inbox.mkdir(parents=True)
        os.link(self._picture, inbox / name)
        fresh = Ours(self.component, work, port)
        (heard,) = self._ear.wait([name])
        fresh.stop()
        return heard - fresh.started

    def stop(self) -> None:
        for one in (*self.loops.values(), *self.limits.values()):
            one.stop()

    def _names(self, count: int) -> list[str]:
        self._numbers += count
        return [f"{self.side}-{number}.jpg" for number in range(self._numbers - count, self._numbers)]


def costs_of(bench: Bench, plan: Plan) -> dict[str, list[Cost]]:
    """Each contender's cost a frame, by round."""
    frames = plan.frames[bench.side]
    contenders: dict[str, Callable[[], Cost]] = {}
    for name, limit in bench.limits.items():
        contenders[name] = partial(lambda limit: Cost(*limit.window(plan.seconds)), limit)
    for name, loop in bench.loops.items():
        contenders[name] = partial(bench.window, loop, frames)
    names, costs = list(contenders), {name: list[Cost]() for name in contenders}
    for number in range(plan.rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            costs[name].append(contenders[name]())
    return costs


def ratios(costs: dict[str, list[Cost]], side: int) -> dict[str, float]:
    """Of rounds, not of medians: what else the machine did then was the same for all."""
    rounds = [dict(zip(costs, each, strict=True)) for each in zip(*costs.values(), strict=True)]
    by_round = {
        f"of_limit_{side}": [min(r[ONE].wall, r[EACH].wall) / r[OURS].wall for r in rounds],
        f"of_one_session_{side}": [r[ONE].wall / r[OURS].wall for r in rounds],
        f"vs_usual_{side}": [r[USUAL].wall / r[OURS].wall for r in rounds],
        f"cpu_vs_usual_{side}": [r[OURS].cpu / r[USUAL].cpu for r in rounds],
        f"of_cut_limit_{side}": [r[CUT].wall / r[OURS].wall for r in rounds],
        f"of_limit_whole_{side}": [min(r[ONE].wall, r[EACH].wall) / r[SQUARE].wall for r in rounds],
        f"cpu_vs_usual_whole_{side}": [r[SQUARE].cpu / r[USUAL].cpu for r in rounds],
        f"vs_usual_whole_{side}": [r[USUAL].wall / r[SQUARE].wall for r in rounds],
    }
    if OPENVINO in costs:
        by_round |= {
            f"of_limit_openvino_{side}": [min(r[ONE].wall, r[EACH].wall) / r[OPENVINO].wall for r in rounds],
            f"vs_usual_openvino_{side}": [r[USUAL].wall / r[OPENVINO].wall for r in rounds],
            f"cpu_vs_usual_openvino_{side}": [r[OPENVINO].cpu / r[USUAL].cpu for r in rounds],
        }
    print(table([("ratio", "median", "rounds from", "to"), *(_row(name, each) for name, each in by_round.items())]))
    return {name: round(statistics.median(each), 3) for name, each in by_round.items()}


def _row(name: str, values: list[float]) -> tuple[str, str, str, str]:
    return name, f"{statistics.median(values):.3f}", f"{min(values):.3f}", f"{max(values):.3f}"


def said(side: int, costs: dict[str, list[Cost]]) -> None:
    """A table of what a frame costs."""
    rows = [(f"{side} px, ms a frame", "wall", "from", "to", "CPU", "from", "to")]
    for name, each in costs.items():
        walls, spent = [one.wall for one in each], [one.cpu for one in each]
        rows.append((name, *_row("", walls)[1:], *_row("", spent)[1:]))
    print(table(rows))


def latencies(bench: Bench, plan: Plan, usual_ms: float) -> dict[str, float]:
    """p50 and p99 over all rounds, both loops at the same pace."""
    mean = usual_ms / 1e3 / LOAD
    found: dict[str, list[float]] = {OURS: [], USUAL: []}
    for number in range(plan.rounds):
        loops = [(OURS, bench.ours), (USUAL, bench.usual)]
        for name, loop in loops if number % 2 else loops[::-1]:
            found[name] += bench.paced(loop, plan.paced, mean, seed=number)
    p50, p99 = ({name: _quantile(each, share) for name, each in found.items()} for share in (0.5, 0.99))
    rows = [(f"latency at {1 / mean:.0f} frames a second, ms", "p50", "p99")]
    print(table(rows + [(name, f"{p50[name]:.1f}", f"{p99[name]:.1f}") for name in found]))
    return {"p99_vs_usual": round(p99[OURS] / p99[USUAL], 3), "p50_vs_usual": round(p50[OURS] / p50[USUAL], 3)}


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def elsewhere() -> dict[str, float | None]:
    """The figures of the benchmarks beside this one; None where one is not there or does not say it."""
    figures: dict[str, float | None] = {}
    for module, key in ELSEWHERE:
        figures[key] = None
        if importlib.util.find_spec(f"benchmarks.{module}") is None:
            continue
        command = [sys.executable, "-m", f"benchmarks.{module}", "--quick", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            figures[key] = json.loads(done.stdout.splitlines()[-1]).get(key)
        else:
            print(f"benchmarks.{module} failed: {done.stderr.strip()[-300:]}")
    return figures


def measured(plan: Plan, folder: Path) -> dict[str, float]:
    """All that is measured with the broker running."""
    data, report = photograph(*_SIZE), dict[str, float]()
    broker = Broker(folder)
    ear = Ear(broker.port)
    try:
        for side in SIDES:
            bench = Bench(folder, side, data, broker, ear)
            try:
                costs = costs_of(bench, plan)
                said(side, costs)
                report |= ratios(costs, side)
                if side == SIDES[0]:
                    held = {name: one.memory() for name, one in {**bench.loops, **bench.limits}.items()}
                    print("resident MB: " + ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in held.items()))
                    report["rss_over_ort_mb"] = round(held[OURS] - held[CUT], 1)  # which feeds the same tensors
                    report |= latencies(bench, plan, statistics.median(one.wall for one in costs[USUAL]))
                    starts = [bench.first_result(broker.port) for _ in range(plan.starts)]
                    report["first_result_s"] = round(statistics.median(starts), 3)
                    print(f"first result after {min(starts):.2f} to {max(starts):.2f} s")
            finally:
                bench.stop()
    finally:
        ear.close()
        broker.stop()
    return report


def main() -> None:
    chosen = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as name:
        report = measured(QUICK if chosen.quick else WHOLE, Path(name))
    finish({**report, **elsewhere()}, as_json=chosen.json)


if __name__ == "__main__":
    main()
