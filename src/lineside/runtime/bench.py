"""`bench`: how long one image takes on this machine, from bytes to detections."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import msgspec

from lineside.runtime.model import load_folder
from lineside.runtime.try_image import read_image


def bench(folder: Path, image: Path, seconds: float, threads: int) -> int:
    """Detects for `seconds` and prints one JSON object: median and 95th percentile in ms, images a second, threads."""
    model = load_folder(folder, threads=threads)
    data = read_image(image)
    taken: list[float] = []
    end = time.monotonic() + seconds
    while len(taken) < 3 or time.monotonic() < end:
        taken.append(model.detect_timed(data).latency_ms)
    median = statistics.median(taken)
    report = {
        "median_ms": round(median, 3),
        "p95_ms": round(statistics.quantiles(taken, n=20)[-1], 3),
        "images_per_s": round(1000 / median, 1),
        "images": len(taken),
        "threads": model.threads,
    }
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    return 0
