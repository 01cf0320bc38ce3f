"""`bench`: how long one image takes on this machine, from bytes to detections."""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from pathlib import Path

import msgspec

from lineside.runtime.golden import golden_images
from lineside.runtime.model import load_folder
from lineside.runtime.try_image import read_image

_LEAST = 20
"""Images: a 95th percentile of fewer says little."""
_GOLDEN = "golden.zip"


def bench(folder: Path, image: Path | None, seconds: float, threads: int) -> int:
    """Detects for `seconds` (on one image, or over and over on those of the golden set) and prints one JSON object:
    median and 95th percentile in ms, images a second, threads."""
    model = load_folder(folder, threads=threads)
    images = [read_image(image)] if image is not None else golden_images(folder / _GOLDEN)
    for data in images[:1]:
        model.detect_timed(data)  # the first is always slower
    taken: list[float] = []
    end = time.monotonic() + seconds
    for data in itertools.cycle(images):
        taken.append(model.detect_timed(data).latency_ms)
        if len(taken) >= _LEAST and time.monotonic() >= end:
            break
    median, last = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
    report = {
        "median_ms": round(median, 3),
        "p95_ms": round(last, 3),
        "images_per_s": round(1000 / median, 1),
        "images": len(taken),
        "threads": model.threads,
        "latency_ms": {"p50": round(median, 3), "p95": round(last, 3)},
    }
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    return 0
