"""`carry`: what this machine can carry with a model: pictures a second by resolution and threads, how long one takes,
and for how many cameras that is enough."""

from __future__ import annotations

import io
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from lineside.contract.errors import LinesideError
from lineside.contract.model import Signature
from lineside.runtime.decode import decode
from lineside.runtime.engines.cores import usable_cores
from lineside.runtime.golden import golden_images
from lineside.runtime.machine import MachineReader
from lineside.runtime.model import Model
from lineside.runtime.try_image import any_model, read_image

RESOLUTIONS = ((640, 480), (1280, 720), (1920, 1080), (3840, 2160))
RATES = (1, 5, 10, 15, 25, 30)
"""Pictures a second that a camera may want."""
LOAD = 0.7
"""The share of what the machine can do that cameras may take: beyond, waiting grows without bound."""

_LEAST = 20
_QUALITY = 90
_GOLDEN = "golden.zip"


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Of JPEGs of one size on so many threads: from bytes to detections, one after the other (`p50_ms` …), and as many
    side by side as the model takes (`fps`); `cpu_ms` is processor time a picture then."""

    width: int
    height: int
    threads: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    fps: float
    cpu_ms: float
    pictures: int
    cameras: dict[int, int]  # by pictures a second


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer."""

    model: str
    version: int
    digest: str
    input: str
    cores: int
    memory_mb: float | None  # of this process with the model loaded, after the largest pictures
    load: float = LOAD
    points: tuple[Point, ...]


def carry(path: Path, image: Path | None, seconds: float, threads: int, *, json: bool) -> int:
    """Measures each size for `seconds` on one thread and on all (or on `threads`), and prints a table or JSON."""
    picture = _picture(path, image)
    points: list[Point] = []
    for count in [threads] if threads else sorted({1, usable_cores()}):
        model = any_model(path, threads=count)
        for size in RESOLUTIONS:
            points.append(_measured(model, _jpeg(picture, size), size, count, seconds))
            _progress(len(points))
    found = Carried(
        model=model.identity.name,
        version=model.identity.version,
        digest=model.digest,
        input=_input(model.signature),
        cores=usable_cores(),
        memory_mb=MachineReader().read().memory_mb,
        points=tuple(points),
    )
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n" if json else "\n".join(_lines(found)) + "\n")
    return 0


def _input(signature: Signature) -> str:
    size = f"{signature.input_width} x {signature.input_height}"
    return f"{size} (without padding)" if signature.size_divisor else size


def cameras(fps: float) -> dict[int, int]:
    """For how many cameras of each rate that many pictures a second are enough."""
    return {rate: math.floor(fps * LOAD / rate) for rate in RATES}


def _picture(path: Path, image: Path | None) -> Image.Image:
    """What is decoded again and again: the given image, the first of the golden set, else noise, which is the worst."""
    if image is not None:
        return decode(read_image(image)).image
    try:
        return decode(golden_images(path / _GOLDEN)[0]).image
    except LinesideError:
        noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
        return Image.fromarray(noise)


def _jpeg(picture: Image.Image, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    picture.resize(size).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _measured(model: Model, data: bytes, size: tuple[int, int], threads: int, seconds: float) -> Point:
    model.detect_timed(data)  # the first is always slower
    taken: list[float] = []
    end = time.monotonic() + seconds / 2
    while len(taken) < _LEAST or time.monotonic() < end:
        taken.append(model.detect_timed(data).latency_ms)
    shares = statistics.quantiles(taken, n=100, method="inclusive")
    fps, cpu_ms, count = _together(model, data, seconds / 2)
    return Point(
        width=size[0],
        height=size[1],
        threads=threads,
        p50_ms=round(shares[49], 3),
        p95_ms=round(shares[94], 3),
        p99_ms=round(shares[98], 3),
        fps=round(fps, 2),
        cpu_ms=round(cpu_ms, 3),
        pictures=len(taken) + count,
        cameras=cameras(fps),
    )


def _together(model: Model, data: bytes, seconds: float) -> tuple[float, float, int]:
    """As the line does it: as many at once as the model has lanes."""
    began, cpu = time.monotonic(), time.process_time()

    def lane(_: int) -> int:
        done = 0
        while done < _LEAST or time.monotonic() - began < seconds:
            model.detect_timed(data)
            done += 1
        return done

    with ThreadPoolExecutor(model.lanes) as pool:
        count = sum(pool.map(lane, range(model.lanes)))
    return count / (time.monotonic() - began), 1000 * (time.process_time() - cpu) / count, count


def _progress(done: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\rmeasured {done} ")


def _lines(found: Carried) -> Iterator[str]:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    yield f"{found.model}:{found.version}, input {found.input}, {found.cores} cores, {found.memory_mb:g} MB of memory"
    rows: list[Sequence[str]] = [
        ("JPEG", "threads", "fps", "p50 ms", "p95 ms", "p99 ms", "CPU ms", *(f"{rate} fps" for rate in RATES))
    ]
    for one in found.points:
        milliseconds = (f"{value:.1f}" for value in (one.p50_ms, one.p95_ms, one.p99_ms, one.cpu_ms))
        counts = (str(one.cameras[rate]) for rate in RATES)
        rows.append((f"{one.width}x{one.height}", str(one.threads), f"{one.fps:.1f}", *milliseconds, *counts))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True))
    yield f"The last columns: how many cameras of that many pictures a second, at {found.load:.0%} of what it can do."
