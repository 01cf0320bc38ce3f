"""How much of the machine's raw inference speed is left when a 1080p JPEG comes in and detections go out.

Three contenders, interleaved: ONNX Runtime alone, fed with ready tensors (the limit); `lineside.runtime`, bytes to
detections; the loop people usually write: Pillow decodes all of it, numpy letterboxes, ONNX Runtime with its defaults,
non-maximum suppression in plain Python. And how many results a second the spool takes and gives back, each batch
synced.
"""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from benchmarks.detector import CLASSES, SIDE, detector
from benchmarks.measure import finish, interleaved, options, timings_table
from lineside.contract.model import Signature
from lineside.contract.result import Detection, Result
from lineside.runtime.decode import decode
from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine
from lineside.runtime.model import Model, load
from lineside.runtime.preprocess import Preprocessor
from lineside.runtime.spool import Entry, InputKey, Spool

CANDIDATES = 60  # locations over the threshold: a busy picture
BATCH = 64
LABELS = tuple(f"class-{number}" for number in range(CLASSES))


def photograph(width: int = 1920, height: int = 1080) -> bytes:
    """A JPEG with the bytes of a photograph: soft shapes and fine grain, about 0.4 MB."""
    rng = np.random.default_rng(1)
    shapes = Image.fromarray(rng.integers(0, 256, (18, 32, 3), np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    grain = rng.normal(0, 6, (height, width, 1))
    pixels = np.clip(np.asarray(shapes) + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def busy(file: Path, signature: Signature, data: bytes) -> Signature:
    """The signature with the threshold at which the picture has `CANDIDATES` locations before suppression."""
    tensor, _ = Preprocessor(signature)(decode(data))
    scores = np.sort(OnnxRuntimeEngine(file.read_bytes()).run(tensor)[0][0, :, 4:].max(axis=1))
    return msgspec.structs.replace(signature, score_threshold=float(scores[-CANDIDATES]))


class UsualLoop:
    """What tutorials do."""

    def __init__(self, file: Path, signature: Signature) -> None:
        self._session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
        self._signature = signature

    def __call__(self, data: bytes) -> list[tuple[int, float, list[float]]]:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        ratio = min(SIDE / image.width, SIDE / image.height)
        small = image.resize((round(image.width * ratio), round(image.height * ratio)), Image.Resampling.BILINEAR)
        canvas = np.full((SIDE, SIDE, 3), self._signature.pad, np.uint8)
        canvas[: small.height, : small.width] = np.asarray(small)
        tensor = np.ascontiguousarray((canvas.astype(np.float32) / 255.0).transpose(2, 0, 1)[None])
        rows = self._session.run(None, {"images": tensor})[0][0]
        found = []
        for row in rows:
            best = int(np.argmax(row[4:]))
            if row[4 + best] >= self._signature.score_threshold:
                found.append((best, float(row[4 + best]), [float(value) / ratio for value in row[:4]]))
        return self._suppressed(found)

    def _suppressed(self, found: list[tuple[int, float, list[float]]]) -> list[tuple[int, float, list[float]]]:
        kept: list[tuple[int, float, list[float]]] = []
        for candidate in sorted(found, key=lambda each: -each[1]):
            if all(
                candidate[0] != other[0] or _iou(candidate[2], other[2]) <= self._signature.iou_threshold
                for other in kept
            ):
                kept.append(candidate)
        return kept[: self._signature.max_detections]


def _iou(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    overlap = width * height
    return overlap / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap)


def spool_per_second(folder: Path, detections: list[Detection], batches: int) -> float:
    """Results a second, median over batches: encoded, appended and synced, read back, removed."""
    spool = Spool(folder / "spool.db")
    spool.follow(["one"])
    rates = []
    for batch in range(batches):
        started = time.perf_counter()
        first = spool.next_sequence
        numbers = range(first, first + BATCH)
        entries = [Entry(number, msgspec.json.encode(_result(number, detections))) for number in numbers]
        spool.append(entries, [InputKey(f"{number}.jpg", batch, number) for number in numbers])
        spool.advance("one", spool.after(first - 1, BATCH)[-1].sequence)
        rates.append(BATCH / (time.perf_counter() - started))
    spool.close()
    return statistics.median(rates)


def _result(sequence: int, detections: list[Detection]) -> Result:
    return Result(
        device="bench",
        model="detector",
        version=1,
        digest="sha256:" + "0" * 64,
        image=f"{sequence}.jpg",
        captured_at="2026-01-01T00:00:00.000Z",
        sequence=sequence,
        width=1920,
        height=1080,
        latency_ms=10.0,
        detections=tuple(detections),
    )


def ready_tensor(model: Model, data: bytes) -> NDArray[np.float32]:
    """The model's input for a picture, made beforehand."""
    return Preprocessor(model.signature)(decode(data))[0]


def main() -> None:
    chosen = options(__doc__ or "")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, data = folder / "model.onnx", photograph()
        file.write_bytes(detector())
        signature = busy(file, Signature(head="compact", input_width=SIDE, input_height=SIDE, labels=LABELS), data)
        model, usual, limit = load(file, signature), UsualLoop(file, signature), OnnxRuntimeEngine(file.read_bytes())
        tensor = ready_tensor(model, data)
        detections = model.detect(data)
        timings = interleaved(
            {
                "limit: ready tensors": lambda: limit.run(tensor),
                "lineside: JPEG to detections": lambda: model.detect(data),
                "usual loop: JPEG to detections": lambda: usual(data),
            },
            rounds=5 if chosen.quick else 15,
            calls=15 if chosen.quick else 40,
        )
        spooled = spool_per_second(folder, detections[:5], 20 if chosen.quick else 100)
    raw, ours, theirs = timings.values()
    print(f"{len(data) / 1e6:.2f} MB JPEG of 1920 x 1080, {len(detections)} detections, {model.threads} threads")
    print(timings_table(timings))
    report = {
        "of_limit": round(raw.median / ours.median, 3),
        "vs_usual": round(theirs.median / ours.median, 3),
        "spool_per_s": round(spooled),
        "limit_ms": round(raw.median, 3),
        "lineside_ms": round(ours.median, 3),
        "usual_ms": round(theirs.median, 3),
        "spread": round(max(each.spread for each in timings.values()), 3),
        "threads": model.threads,
    }
    finish(report, as_json=chosen.json)


if __name__ == "__main__":
    main()
