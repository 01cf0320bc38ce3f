"""What a network's input in the shape of the camera's pictures saves: 320 x 192 beside 320 x 320, the same weights.

A picture of 16:9 in a square is 44 % padding, which a network computes like anything else. Two runtimes, as they are
installed, take the same 1080p JPEG at the same scale, in turn in every round, the order turned; frames go in as fast
as they are taken, and CPU time is what the kernel counts for the process. `wide_320` is the CPU time of a frame on
the wide input as a share of that on the square one, the median of the rounds; `wide_wall_320` is the same by the
clock. Of what a model finds it says nothing: these weights are random.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import finish, options, table
from benchmarks.runtime_rig import Broker, Ear, Ours, model_folder, photograph

SHAPES = {"square": (320, 320), "wide": (320, 192)}
FRAMES = {True: 100, False: 300}  # a window, quick or not
ROUNDS = {True: 7, False: 15}
_WARM = 8  # frames


class Cost(NamedTuple):
    """Milliseconds a frame."""

    wall: float
    cpu: float


class Lane:
    """One runtime with a model of one shape."""

    def __init__(self, folder: Path, name: str, data: bytes, broker: Broker, ear: Ear) -> None:
        self._name, self._ear, self._numbers = name, ear, 0
        folder = folder / name
        folder.mkdir()
        self._picture = folder / "picture"
        self._picture.write_bytes(data)
        width, height = SHAPES[name]
        model_folder(folder / "model", width, data, height)
        self._runtime = Ours(folder / "model", folder / f"work-{name}", broker.port)
        self.window(_WARM)

    def window(self, frames: int) -> Cost:
        """Frames as fast as they are taken."""
        names = [f"{self._name}-{self._numbers + number}.jpg" for number in range(frames)]
        self._numbers += frames
        cpu = self._runtime.cpu()
        for name in names:
            self._runtime.put(self._picture, name)
        heard = sorted(self._ear.wait(names))
        spent = self._runtime.cpu() - cpu
        self._runtime.forget(self._picture, names)
        return Cost((heard[-1] - heard[0]) / (frames - 1) * 1e3, spent / frames * 1e3)

    def stop(self) -> None:
        self._runtime.stop()


def measured(folder: Path, quick: bool) -> dict[str, list[Cost]]:
    """Each shape's cost a frame, by round."""
    data, broker = photograph(), Broker(folder)
    ear, lanes = Ear(broker.port), dict[str, Lane]()
    costs: dict[str, list[Cost]] = {name: [] for name in SHAPES}
    try:
        for name in SHAPES:
            lanes[name] = Lane(folder, name, data, broker, ear)
        for number in range(ROUNDS[quick]):
            for name in [*SHAPES][:: 1 if number % 2 else -1]:
                costs[name].append(lanes[name].window(FRAMES[quick]))
    finally:
        for lane in lanes.values():
            lane.stop()
        ear.close()
        broker.stop()
    return costs


def summed_up(costs: dict[str, list[Cost]]) -> dict[str, float]:
    """The figures: medians, and ratios of rounds, for what else the machine did then was the same for both."""
    report = {f"{name}_cpu_ms": round(statistics.median(one.cpu for one in each), 2) for name, each in costs.items()}
    rows = [("ms a frame", "wall", "CPU", "from", "to")]
    for name, each in costs.items():
        spent = [one.cpu for one in each]
        wall = statistics.median(one.wall for one in each)
        size = "{} x {}".format(*SHAPES[name])
        rows.append((size, f"{wall:.1f}", f"{statistics.median(spent):.1f}", f"{min(spent):.1f}", f"{max(spent):.1f}"))
    print(table(rows))
    pairs = list(zip(costs["wide"], costs["square"], strict=True))
    for key, ratios in {
        "wide_320": [wide.cpu / square.cpu for wide, square in pairs],
        "wide_wall_320": [wide.wall / square.wall for wide, square in pairs],
    }.items():
        report[key] = round(statistics.median(ratios), 3)
        print(f"{key}: {report[key]:.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    return report


def main() -> None:
    chosen = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as name:
        costs = measured(Path(name), chosen.quick)
    finish(summed_up(costs), as_json=chosen.json)


if __name__ == "__main__":
    main()
