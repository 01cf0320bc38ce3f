"""How good a trainer's models are on pictures of things they never saw, for a stated time and several seeds.

Each seed trains on the train side for `--minutes` (or `--epochs`), is exported, quantized and scored through
`lineside.runtime` on the test side, as fp32 and as INT8, and both are timed side by side on one thread, from the bytes
of a picture to its detections. `--folds 5` instead trains on four fifths of all groups and scores the rest, five times,
and pools what was found. Hyper-parameters are chosen with `--on val`, never on test.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks import labelled
from benchmarks.labelled import Labelled
from benchmarks.measure import Timing, finish, interleaved, table
from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.model import Signature
from lineside.contract.result import Detection
from lineside.pipeline.evaluation.scores import side_of
from lineside.pipeline.metrics import score
from lineside.pipeline.optimize.graphs import checked
from lineside.pipeline.optimize.pairs import paired
from lineside.pipeline.optimize.pixels import folded
from lineside.pipeline.quantize import quantize
from lineside.pipeline.trainers.base import Progress, TrainJob, trainer
from lineside.runtime.decode import decode
from lineside.runtime.model import load
from lineside.runtime.preprocess import Preprocessor

_FAINTEST = 0.01  # average precision wants the unsure ones too
_CALIBRATION = 64  # pictures
_QUICK = {"input_width": 64, "input_height": 64, "epochs": 2, "batch": 4, "settle_epochs": 1}

Found = dict[str, tuple[Detection, ...]]


@dataclass(frozen=True, slots=True)
class Trained:
    """One training: what it took, what both files found on the pictures kept aside, and how long they take."""

    seed: int
    epochs: int
    wall: float  # seconds
    cpu: float  # seconds of all threads
    aside: tuple[ImageRecord, ...]
    fp32: Found
    int8: Found
    timings: dict[str, Timing]

    @property
    def speedup(self) -> float:
        """How many times quicker INT8 is."""
        return self.timings["fp32"].median / self.timings["int8"].median


@dataclass(frozen=True, slots=True)
class Bench:
    """What is trained how."""

    data: Labelled
    trainer: str
    parameters: dict[str, Any]
    init: Path | None
    threads: int

    def run(self, train: Sequence[ImageRecord], aside: Sequence[ImageRecord], seed: int, folder: Path) -> Trained:
        """Train on some pictures, score on others."""
        made = trainer(self.trainer)
        said: list[Progress] = []
        wall, cpu = time.perf_counter(), time.process_time()
        checkpoint = made.train(self._job(train, seed, folder), said.append)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        signature = made.signature(self.data.classes, self.parameters)
        fp32, int8 = folder / "fp32.onnx", folder / "int8.onnx"
        made.export(checkpoint, self.data.classes, self.parameters, fp32)
        pixels = self._quantize(fp32, int8, signature, train)
        return Trained(
            seed=seed,
            epochs=said[-1].epoch,
            wall=wall,
            cpu=cpu,
            aside=tuple(aside),
            fp32=self._found(fp32, signature, aside),
            int8=self._found(int8, pixels, aside),
            timings=self._timed({fp32: signature, int8: pixels}, aside[0]),
        )

    def _job(self, train: Sequence[ImageRecord], seed: int, folder: Path) -> TrainJob:
        return TrainJob(
            train=self.data.for_training(train),
            val=[],  # scoring it would take time of the training's
            labels=self.data.classes,
            parameters=self.parameters,
            seed=seed,
            init=self.init,
            workdir=folder,
            threads=self.threads,
        )

    def _quantize(self, fp32: Path, int8: Path, signature: Signature, train: Sequence[ImageRecord]) -> Signature:
        """Write the INT8 file as it ships, which takes pixels; its signature, which says so."""
        quantize(fp32, int8, self._tensors(signature, train))
        model, says = folded(onnx.load(int8), signature)
        paired(model)
        int8.write_bytes(checked(model))
        return says

    def _tensors(self, signature: Signature, train: Sequence[ImageRecord]) -> Iterator[np.ndarray]:
        preprocess = Preprocessor(signature.whole)
        for record in train[:: max(len(train) // _CALIBRATION, 1)][:_CALIBRATION]:
            yield preprocess(decode(self.data.path(record).read_bytes()))[0].copy()

    def _found(self, file: Path, signature: Signature, aside: Sequence[ImageRecord]) -> Found:
        model = load(file, signature, threads=self.threads)
        paths = {record.digest: self.data.path(record) for record in aside}
        return {name: tuple(model.detect(path.read_bytes(), score_threshold=_FAINTEST)) for name, path in paths.items()}

    def _timed(self, files: dict[Path, Signature], record: ImageRecord) -> dict[str, Timing]:
        picture = self.data.path(record).read_bytes()
        models = {file.stem: load(file, signature, threads=1) for file, signature in files.items()}
        return interleaved(
            {name: lambda model=model: model.detect(picture) for name, model in models.items()},  # type: ignore[misc]
            rounds=5,
            calls=10,
            clock=time.process_time,  # what else the machine does counts less
        )


def main() -> None:
    """Train, score, print."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if options.data is None:
            labelled.draw(folder)
        data = labelled.read(options.data or folder)
        bench = Bench(data, options.trainer, _parameters(options), options.init, options.threads)
        report = _by_folds(bench, options, folder) if options.folds else _by_seeds(bench, options, folder)
    told = {
        "trainer": options.trainer,
        "init": options.init.name if options.init else None,
        "minutes": options.minutes,
        "parameters": bench.parameters,
        "threads": options.threads,
    }
    finish({**told, **report}, as_json=options.json)


def _by_seeds(bench: Bench, options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Seed after seed on the fixed split."""
    train, aside = bench.data.side(Split.TRAIN), bench.data.side(Split(options.on))
    done, rows = [], [("seed", "epochs", "wall s", "CPU s", "mAP50", "mAP50-95", "INT8 mAP50-95", "fp32 ms", "INT8 ms")]
    for seed in range(options.seeds):
        one = bench.run(train, aside, seed, _made(folder / f"seed-{seed}"))
        done.append(one)
        rows.append(_row(bench, one))
        print(" ".join(rows[-1]), flush=True)
    print(table(rows))
    return {"on": options.on, "images": len(aside)} | _summary(bench, done)


def _by_folds(bench: Bench, options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Fold after fold over all groups; what was found is pooled, seed by seed."""
    parts = labelled.folds(bench.data.records, options.folds)
    pooled: list[Trained] = []
    for seed in range(options.seeds):
        each = []
        for number, aside in enumerate(parts):
            train = [record for part in parts if part is not aside for record in part]
            each.append(bench.run(train, aside, seed, _made(folder / f"seed-{seed}-fold-{number}")))
            print("fold", number, *_row(bench, each[-1]), flush=True)
        pooled.append(_pool(each))
    intervals = side_of("pooled", "", pooled[0].aside, bench.data.classes, pooled[0].fp32, {})
    return {
        "folds": options.folds,
        "map50_interval": [_rounded(intervals.map50.low), _rounded(intervals.map50.high)],
        "map_interval": [_rounded(intervals.map.low), _rounded(intervals.map.high)],  # of the first seed, over pictures
    } | _summary(bench, pooled)


def _pool(each: Sequence[Trained]) -> Trained:
    fp32: Found = {}
    int8: Found = {}
    for one in each:
        fp32 |= one.fp32
        int8 |= one.int8
    return Trained(
        seed=each[0].seed,
        epochs=round(statistics.mean(one.epochs for one in each)),
        wall=sum(one.wall for one in each),
        cpu=sum(one.cpu for one in each),
        aside=tuple(record for one in each for record in one.aside),
        fp32=fp32,
        int8=int8,
        timings=each[0].timings,
    )


def _summary(bench: Bench, done: Sequence[Trained]) -> dict[str, object]:
    scores = [score(one.aside, bench.data.classes, one.fp32) for one in done]
    drops = [
        before.map - score(one.aside, bench.data.classes, one.int8).map
        for before, one in zip(scores, done, strict=True)
    ]
    return {
        "seeds": len(done),
        "epochs": [one.epochs for one in done],
        "train_wall_s": [round(one.wall, 1) for one in done],
        "train_cpu_s": [round(one.cpu, 1) for one in done],
        **_mean("map50", [one.map50 for one in scores]),
        **_mean("map", [one.map for one in scores]),
        **_mean("int8_map_drop", drops),
        "int8_speedup": round(statistics.median(one.speedup for one in done), 2),
    }


def _mean(name: str, values: Sequence[float]) -> dict[str, object]:
    """The mean of the values, and the lowest and highest of them."""
    return {
        name: round(statistics.mean(values), 4),
        f"{name}_spread": [round(min(values), 4), round(max(values), 4)],
    }


def _row(bench: Bench, one: Trained) -> tuple[str, ...]:
    before, after = (score(one.aside, bench.data.classes, found) for found in (one.fp32, one.int8))
    return (
        str(one.seed),
        str(one.epochs),
        f"{one.wall:.0f}",
        f"{one.cpu:.0f}",
        f"{before.map50:.3f}",
        f"{before.map:.3f}",
        f"{after.map:.3f}",
        f"{one.timings['fp32'].median:.1f}",
        f"{one.timings['int8'].median:.1f}",
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _parameters(options: argparse.Namespace) -> dict[str, Any]:
    known = trainer(options.trainer).defaults()
    parameters: dict[str, Any] = {}
    if options.quick:
        parameters |= {name: value for name, value in _QUICK.items() if name in known}
    if options.minutes:
        parameters["minutes"] = options.minutes
    if options.epochs:
        parameters["epochs"] = options.epochs
    for one in options.set:
        name, _, value = one.partition("=")
        try:
            parameters[name] = json.loads(value)
        except json.JSONDecodeError:
            parameters[name] = value
    return parameters


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder with annotations.json; drawn squares when it is left out")
    parser.add_argument("--trainer", default="compact")
    parser.add_argument("--init", type=Path, help="starting weights")
    parser.add_argument("--minutes", type=float, default=0.0, help="wall time of one training; else its epochs")
    parser.add_argument("--epochs", type=int, help="in place of minutes, where the machine is not quiet")
    parser.add_argument("--seeds", type=int, default=None, help="3 when left out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--on", choices=("val", "test"), default="test", help="the side that is scored")
    parser.add_argument("--folds", type=int, default=0, help="cross-validate by group instead")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a trainer's parameter")
    parser.add_argument("--quick", action="store_true", help="two epochs at 64 pixels, one seed")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    options = parser.parse_args()
    options.seeds = options.seeds or (1 if options.quick else 3)
    return options


if __name__ == "__main__":
    main()
