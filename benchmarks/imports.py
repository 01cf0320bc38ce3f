"""Imports: a folder of many images through a real control plane, twice, and what looking at one image costs a core.

    python -m benchmarks.imports --images 10000 [--data DIR] [--json]

Images are those of `--data` (metal-tags where it is there, made-up ones else), each with other bytes. The first import
hashes, sends, decodes and stores; for the second, one image in a thousand has changed. Then it goes out as CSV, Pascal
VOC and YOLO, which write a file of labels for each image. Memory grows by what is needed more than for an import of 200
images at the beginning.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.fleet.plane import Plane
from benchmarks.measure import finish, table
from lineside.client.downloading import download_folder, export_listing
from lineside.client.folder import upload_folder
from lineside.client.known_digests import known_digests
from lineside.contract.dataset import DatasetVersion
from lineside.server.datasets.pictures.decoding import look_at

_DATA = Path(__file__).parents[2] / "shared" / "data" / "metal-tags" / "images"
_LOOKS = 400  # images that the cost of looking is measured with
_SIZE = (450, 300)


def main() -> None:
    """Run it."""
    asked = _options()
    with tempfile.TemporaryDirectory(prefix="lineside-imports-", dir=asked.temp) as name:
        temp = Path(name)
        folder = temp / "images"
        _make(temp / "small", min(200, asked.images), asked.data, first=10**6)
        _make(folder, asked.images, asked.data)
        looks = _looking(folder)
        (temp / "root").mkdir()
        with Plane(temp / "root", []) as plane:
            small = _import(plane, temp / "small", temp / "digests.db")
            first = _import(plane, folder, temp / "digests.db")
            changed = _change(folder, asked.images)
            second = _import(plane, folder, temp / "digests.db")
            exports = [_export(plane, second.version.id, form, temp) for form in ("csv", "voc", "yolo")]
        assert second.read == changed, f"{second.read} files were read, {changed} had changed"
        assert exports[0].files == asked.images + 2, "an export is the images, a table and the classes"
        assert min(one.files for one in exports[1:]) > 2 * asked.images, "and in others a file of labels for each image"
    found = _report(asked, looks, small, first, second) | _report_exports(asked, exports, small)
    finish(found, as_json=asked.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--data", type=Path, default=_DATA if _DATA.is_dir() else None, help="a folder of JPEG images")
    parser.add_argument("--temp", type=Path, help="where to put what is needed meanwhile")
    parser.add_argument("--quick", action="store_true", help="500 images")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    asked = parser.parse_args()
    asked.images = 500 if asked.quick else asked.images
    return asked


def _make(folder: Path, count: int, data: Path | None, *, first: int = 0) -> None:
    """Images and a COCO file; with a comment at the end of each, no two have the same bytes."""
    folder.mkdir(parents=True)
    found = sorted(data.rglob("*.jpg")) if data else []
    originals = [file.read_bytes() for file in found] or [_rendered(seed) for seed in range(50)]
    sides, images, boxes = ("train", "train", "train", "val", "test"), [], []
    for number in range(count):
        place = folder / f"{number // 1000}"
        place.mkdir(exist_ok=True)
        (place / f"{number}.jpg").write_bytes(originals[number % len(originals)] + b"\n%d" % (first + number))
        entry = {"id": number, "file_name": f"{number // 1000}/{number}.jpg", "group": str(number // 20)}
        images.append(entry | {"split": sides[number // 20 % 5]})
        boxes.append({"id": number, "image_id": number, "category_id": 1, "bbox": [10, 10, 50, 40], "iscrowd": 0})
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "scratch"}]}
    (folder / "annotations.json").write_text(json.dumps(content))
    past = time.time() - 60  # an archive that was unpacked, not a folder that is being written
    for file in folder.rglob("*"):
        os.utime(file, (past, past))


def _rendered(seed: int) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize(_SIZE, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _looking(folder: Path) -> list[float]:
    """Images a second of one core, in rounds: hash, decode, patch and thumbnail, in memory."""
    data = [file.read_bytes() for file in sorted(folder.glob("0/*.jpg"))[:_LOOKS]]
    rates = []
    for _ in range(6):
        started = time.process_time()
        for one in data:
            hashlib.sha256(one).hexdigest()
            assert look_at(one) is not None
        rates.append(len(data) / (time.process_time() - started))
    return sorted(rates[1:])


@dataclass(frozen=True)
class _Import:
    """One import: what it took, and what of the folder it read."""

    version: DatasetVersion
    seconds: float
    own_cpu: float  # seconds of this process: listing, hashing, sending
    server_cpu: float
    read: int
    looked: float  # seconds until the control plane was asked to import
    highest: float  # MB: the control plane's memory during it
    stages: dict[str, float]


def _import(plane: Plane, folder: Path, cache: Path) -> _Import:
    before, own, started = plane.cpu_seconds(), time.process_time(), time.perf_counter()
    stages: dict[str, float] = {}

    def moved(done: int, total: int, what: str) -> None:
        stages[what] = time.perf_counter() - started

    with _memory(plane) as memory, known_digests(cache) as known:
        version = upload_folder(plane.client, folder, "bench", moved, known=known).version
        took = time.perf_counter() - started
    return _Import(
        version=version,
        seconds=took,
        own_cpu=time.process_time() - own,
        server_cpu=plane.cpu_seconds() - before,
        read=known.read,
        looked=stages["importing"],
        highest=max(memory),
        stages=stages,
    )


@contextmanager
def _memory(plane: Plane) -> Iterator[list[float]]:
    """Resident MB of the control plane four times a second."""
    seen, over = [plane.rss_mb()], threading.Event()

    def watch() -> None:
        while not over.wait(0.25):
            seen.append(plane.rss_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


@dataclass(frozen=True)
class _Export:
    """One export: how long the control plane wrote labels, first and again, and how long all of it took."""

    form: str
    files: int
    labels_s: float
    again_s: float
    seconds: float
    highest: float  # MB: the control plane's memory during it


def _export(plane: Plane, dataset: str, form: str, temp: Path) -> _Export:
    took: list[float] = []
    with _memory(plane) as memory:
        for _ in range(2):
            started = time.perf_counter()
            export_listing(plane.client, dataset, form, lambda *_: None)
            took.append(time.perf_counter() - started)
        started = time.perf_counter()
        exported = download_folder(plane.client, dataset, form, temp / form)
        whole = time.perf_counter() - started
    shutil.rmtree(temp / form)
    return _Export(form, exported.files, took[0], took[1], took[0] + whole - took[1], max(memory))


def _report_exports(asked: argparse.Namespace, exports: list[_Export], small: _Import) -> dict[str, object]:
    rows: list[tuple[str, ...]] = [("export", "files", "s to write labels", "again", "s in all", "server MB at most")]
    for one in exports:
        seconds = (one.labels_s, one.again_s, one.seconds)
        rows.append((one.form, str(one.files), *(f"{value:.1f}" for value in seconds), f"{one.highest:.0f}"))
    print(table(rows))
    found: dict[str, object] = {}
    for one in exports:
        found |= {f"export_{one.form}_labels_s": round(one.labels_s, 1), f"export_{one.form}_s": round(one.seconds, 1)}
        found[f"export_{one.form}_images_s"] = round(asked.images / one.seconds)
    growth = max(one.highest for one in exports) - small.highest
    return found | {"export_rss_growth_mb": round(growth)}


def _change(folder: Path, count: int) -> int:
    """Change one image in a thousand, and one at least."""
    numbers = range(0, count, 1000)
    for number in numbers:
        with (folder / f"{number // 1000}" / f"{number}.jpg").open("ab") as stream:
            stream.write(b"changed")
    return len(numbers)


def _report(
    asked: argparse.Namespace, looks: list[float], small: _Import, first: _Import, second: _Import
) -> dict[str, object]:
    rows: list[tuple[str, ...]] = [
        ("import", "images", "s", "images/s", "client CPU s", "server CPU s", "files read", "server MB at most")
    ]
    for name, one in (("small", small), ("first", first), ("second", second)):
        images = one.version.images
        figures = (one.seconds, images / one.seconds, one.own_cpu, one.server_cpu)
        rows.append((name, str(images), *(f"{figure:.1f}" for figure in figures), str(one.read), f"{one.highest:.0f}"))
    print(table(rows))
    print("first, seconds until the end of: " + ", ".join(f"{what} {at:.1f}" for what, at in first.stages.items()))
    return {
        "images": asked.images,
        "images_per_core_s": round(statistics.median(looks)),
        "images_per_core_s_rounds": [round(rate) for rate in looks],
        "first_import_s": round(first.seconds, 1),
        "first_import_images_s": round(first.version.images / first.seconds),
        "first_import_images_per_core_s": round(first.version.images / (first.own_cpu + first.server_cpu)),
        "second_import_s": round(second.seconds, 1),
        "second_import_touched": second.read,
        "rss_growth_mb": round(first.highest - small.highest),
        "rss_mb": round(first.highest),
    }


if __name__ == "__main__":
    main()
