"""How long decisions pause when a model is swapped under load.

A paced source sends 1080p JPEGs at 70 % of what one model decides; several times its model is swapped for another,
which is loaded, warmed up and proven by its golden set in the same process. The gap is the longest time between two
decisions around a swap (from its beginning until 300 ms after its end), beyond the interval of the frames; every frame
must be answered once. Windows of the same length without a swap say what the machine does by itself.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from benchmarks.detector import SIDE, detector
from benchmarks.measure import finish, options, table
from benchmarks.runtime_rig import model_folder, photograph
from lineside.contract.ids import digest_of
from lineside.runtime.golden import write_golden
from lineside.runtime.lanes import Lanes
from lineside.runtime.model import load_folder
from lineside.runtime.models.library import Library

LOAD = 0.7
AFTER = 0.3  # seconds after a swap that still count
GOLDEN_IMAGES = 8


class Decision(NamedTuple):
    """One frame, when it was decided, and by which version."""

    number: int
    at: float
    version: int


class Under:
    """A slot under load."""

    def __init__(self, library: Library, data: bytes, interval: float) -> None:
        self.decisions: list[Decision] = []
        self.sent = 0
        self._slot, self._data, self._interval = library.slot("line"), data, interval
        self._queue: SimpleQueue[int | None] = SimpleQueue()
        self._stop = threading.Event()
        self._lanes = Lanes(self._slot.model.lanes, self._queue.get, self._decide, self._give)
        self._source = threading.Thread(target=self._send)

    def __enter__(self) -> Under:
        self._lanes.start()
        self._source.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._source.join()
        self._queue.put(None)
        self._lanes.join()
        if self._lanes.failure is not None:
            raise self._lanes.failure

    def _send(self) -> None:
        begun = time.perf_counter()
        while not self._stop.wait(max(0.0, begun + self.sent * self._interval - time.perf_counter())):
            self._queue.put(self.sent)
            self.sent += 1

    def _decide(self, number: int) -> int:
        return self._slot.detect(self._data).model.identity.version

    def _give(self, number: int, version: int) -> None:
        self.decisions.append(Decision(number, time.perf_counter(), version))

    def gap_ms(self, start: float, end: float) -> float:
        """The longest time between two decisions, from the last before `start` to the first after `end`, beyond the
        interval of the frames."""
        times = [one.at for one in self.decisions]
        first = max((place for place, at in enumerate(times) if at < start), default=0)
        last = next((place for place, at in enumerate(times) if at > end), len(times) - 1)
        gaps = [times[place + 1] - times[place] for place in range(first, last)]
        return max(0.0, max(gaps) - self._interval) * 1e3


def folders_of(root: Path, data: bytes) -> list[Path]:
    """Two versions of a detector with golden sets."""
    found = []
    for version in (1, 2):
        folder = root / str(version)
        model_folder(folder, SIDE, data)
        (folder / "model.onnx").write_bytes(file := detector(SIDE, seed=version, any_size=True))
        identity = {"name": "detector", "version": version, "digest": digest_of(file)}
        (folder / "model.json").write_text(json.dumps(identity))
        images = {f"{number}.jpg": photograph(640 + number, 480) for number in range(GOLDEN_IMAGES)}
        write_golden(folder / "golden.zip", load_folder(folder), images)
        found.append(folder)
    return found


def alone_ms(library: Library, data: bytes) -> float:
    """Median of one decision after the other."""
    slot, times = library.slot("line"), []
    for _ in range(30):
        started = time.perf_counter()
        slot.detect(data)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def main() -> None:
    chosen = options(__doc__ or "")
    rounds = 5 if chosen.quick else 20
    data = photograph()
    with tempfile.TemporaryDirectory() as name:
        folders = folders_of(Path(name), data)
        library = Library()
        library.load("line", folders[0])
        took_ms = alone_ms(library, data)
        windows, swap_ms = [], []
        with Under(library, data, took_ms / 1e3 / LOAD) as line:
            time.sleep(1.0)
            for number in range(rounds):
                started = time.perf_counter()
                library.load("line", folders[(number + 1) % 2])
                library.settle("line")
                ended = time.perf_counter()
                swap_ms.append((ended - started) * 1e3)
                time.sleep(2 * AFTER)
                quiet = time.perf_counter()
                time.sleep(ended - started + AFTER)
                windows.append((started, ended + AFTER, quiet, time.perf_counter()))
                time.sleep(AFTER)
        library.close()
    swapped = [line.gap_ms(start, end) for start, end, _, _ in windows]
    without = [line.gap_ms(start, end) for _, _, start, end in windows]
    numbers = [one.number for one in line.decisions]
    assert numbers == list(range(line.sent)), "a frame was lost or answered twice"
    changes = sum(a.version != b.version for a, b in zip(line.decisions, line.decisions[1:], strict=False))
    assert changes >= rounds, "a swap changed nothing"
    rows = [("gap beyond the interval, ms", "median", "lowest", "highest")]
    for words, each in (("around a swap", swapped), ("without one", without), ("(a swap takes)", swap_ms)):
        rows.append((words, f"{statistics.median(each):.1f}", f"{min(each):.1f}", f"{max(each):.1f}"))
    print(f"{line.sent} frames, one every {took_ms / LOAD:.1f} ms, {rounds} swaps")
    print(table(rows))
    report = {
        "swap_gap_ms": round(statistics.median(swapped), 1),
        "swap_gap_worst_ms": round(max(swapped), 1),
        "without_swap_gap_ms": round(statistics.median(without), 1),
        "without_swap_gap_worst_ms": round(max(without), 1),
        "swap_ms": round(statistics.median(swap_ms), 1),
        "frames": line.sent,
        "interval_ms": round(took_ms / LOAD, 1),
    }
    finish(report, as_json=chosen.json)


if __name__ == "__main__":
    main()
