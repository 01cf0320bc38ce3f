"""What each variant of a model costs in mAP50-95, and what it brings in time on one thread.

The variants are made and chosen by the very step of a run, `optimize`; then all of them are timed here, turn by turn:
from the bytes of a picture to its detections (`speedup`), and the file alone (`graph_speedup`), in milliseconds of the
processor's time, which on one thread is what an idle machine takes. `--model` is the name
of a trainer, whose model is trained first (`--keep DIR` keeps it for the next time), or an ONNX file with `--head` and
`--labels`. INT8 is calibrated on the train side and judged on val; `map_drop` is that on test, which it never saw.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import labelled
from benchmarks.labelled import Labelled
from benchmarks.measure import Timing, finish, interleaved, table
from lineside.contract.dataset import ImageRecord, Split
from lineside.contract.model import Signature, Variant
from lineside.contract.run import RunRequest
from lineside.pipeline.blobs import Blobs
from lineside.pipeline.control import PatientControl
from lineside.pipeline.elsewhere import signature_of
from lineside.pipeline.kept import Keeper
from lineside.pipeline.optimize.choice import Rules
from lineside.pipeline.reporter import StepReporter
from lineside.pipeline.scoring import score_file
from lineside.pipeline.step import Context
from lineside.pipeline.steps import optimize
from lineside.pipeline.testing import MemoryControl
from lineside.pipeline.trainers.base import TrainJob, trainer
from lineside.runtime.decode import decode
from lineside.runtime.engines import engine_of
from lineside.runtime.engines.onnxruntime import OnnxRuntimeEngine
from lineside.runtime.model import load
from lineside.runtime.preprocess import Preprocessor

_QUICK = {"input_width": 64, "input_height": 64, "epochs": 2, "batch": 4, "settle_epochs": 1}
_MAX_DROP = 0.02


@dataclass(frozen=True, slots=True)
class Times:
    """One variant, whole and without what stands around the file."""

    whole: Timing
    graph: Timing


def main() -> None:
    """Train or take, optimize, time, print."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if options.data is None:
            labelled.draw(folder)
        data = labelled.read(options.data or folder)
        context = _context(folder)
        records = [_sent(context, data, record) for record in data.records]
        file, signature = _model(options, data, options.keep or folder)
        variants = _variants(context, file, signature, data, records)
        times = _times(context, variants, signature, records, rounds=3 if options.quick else 15)
        report = {one.name: _told(variants[0], one, times) for one in variants}
    print(table([("variant", *next(iter(report.values()))), *((n, *map(str, r.values())) for n, r in report.items())]))
    for one in variants:
        print(f"{one.name}: {one.reason}")
    chosen = next(one.name for one in variants if one.chosen)
    best = {key: report["int8"][key] for key in ("map_drop", "speedup", "graph_speedup")} if "int8" in report else {}
    finish({"model": options.model, "chosen": chosen, "variants": report, **best}, as_json=options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder with annotations.json; without it, a few drawn pictures")
    parser.add_argument("--model", default="compact", help="a trainer's name, or an ONNX file")
    parser.add_argument("--head", default="yolox", help="of the ONNX file")
    parser.add_argument("--labels", help="of the ONNX file: a file with one a line, or words with commas")
    parser.add_argument("--init", type=Path, help="weights the trainer starts from")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a trainer's parameter")
    parser.add_argument("--keep", type=Path, help="a folder for the trained model; one that is there is taken")
    parser.add_argument("--quick", action="store_true", help="few epochs of a small net, few rounds")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    return parser.parse_args()


def _context(folder: Path) -> Context:
    memory = MemoryControl()
    run, control = memory.start_run(RunRequest(model="int8")), PatientControl(memory)
    return Context(
        run=run.id,
        control=control,
        blobs=Blobs(folder / "blobs", control),
        images=Blobs(folder / "images", control),
        folder=folder / "run",
        reporter=StepReporter(control, run, "optimize"),
        threads=1,
        kept=Keeper(control, run.id, folder / "run"),
    )


def _sent(context: Context, data: Labelled, record: ImageRecord) -> ImageRecord:
    return msgspec.structs.replace(record, digest=context.images.put(data.path(record).read_bytes()))


def _model(options: argparse.Namespace, data: Labelled, folder: Path) -> tuple[Path, Signature]:
    """The fp32 file and how it is fed."""
    if options.model.endswith(".onnx"):
        file = Path(options.model)
        ports = OnnxRuntimeEngine(file.read_bytes(), threads=1).inputs
        return file, signature_of(options.head, _labels(options.labels) or data.classes, ports, {})
    made = trainer(options.model)
    parameters = _parameters(options)
    file = folder / f"{options.model}.onnx"
    if not file.exists():
        workdir = folder / f"{options.model}-training"
        workdir.mkdir(parents=True)
        job = TrainJob(
            train=data.for_training(data.side(Split.TRAIN)),
            val=[],
            labels=data.classes,
            parameters=parameters,
            seed=0,
            init=options.init,
            workdir=workdir,
            threads=1,
        )
        checkpoint = made.train(job, lambda progress: print(progress.message, flush=True))
        made.export(checkpoint, data.classes, parameters, file)
    return file, made.signature(data.classes, parameters)


def _labels(text: str | None) -> tuple[str, ...]:
    words = Path(text).read_text().splitlines() if text and Path(text).is_file() else (text or "").split(",")
    return tuple(word.strip() for word in words if word.strip())


def _parameters(options: argparse.Namespace) -> dict[str, Any]:
    known = trainer(options.model).defaults()
    parameters: dict[str, Any] = {n: v for n, v in _QUICK.items() if n in known} if options.quick else {}
    for one in options.set:
        name, _, value = one.partition("=")
        try:
            parameters[name] = json.loads(value)
        except json.JSONDecodeError:
            parameters[name] = value
    return parameters


def _variants(
    context: Context, file: Path, signature: Signature, data: Labelled, records: list[ImageRecord]
) -> list[Variant]:
    """fp32 first, then what the step makes of it."""
    blob = context.blobs.path(context.blobs.put_file(file))
    given = optimize.Inputs(
        records=context.blobs.put_value(records),
        classes=data.classes,
        signature=signature,
        fp32=score_file(context, "fp32", blob, signature, data.classes, records),
        rules=Rules(max_drop=_MAX_DROP),
        openvino=find_spec("openvino") is not None,
    )
    return [one.variant for one in optimize.optimize(context, given).variants]


def _times(
    context: Context, variants: list[Variant], signature: Signature, records: list[ImageRecord], rounds: int
) -> dict[str, Times]:
    tested = next(record for record in records if record.split is Split.TEST)
    picture = context.images.path(tested.digest).read_bytes()
    calls: dict[str, Callable[[], object]] = {}
    for one in variants:
        fed, file = one.signature or signature, context.blobs.path(one.digest)
        model, engine = load(file, fed, threads=1), engine_of(file.read_bytes(), fed, 1)
        tensor = Preprocessor(fed)(decode(picture, (fed.input_width, fed.input_height)))[0]
        calls[one.name] = lambda model=model: model.detect(picture)  # type: ignore[misc]
        calls[f"{one.name} graph"] = lambda engine=engine, tensor=tensor: engine.run(tensor)  # type: ignore[misc]
    found = interleaved(calls, rounds=rounds, calls=10, clock=time.process_time)
    return {one.name: Times(found[one.name], found[f"{one.name} graph"]) for one in variants}


def _told(fp32: Variant, one: Variant, times: dict[str, Times]) -> dict[str, object]:
    drops = {
        f"{name}_drop": round(fp32.metrics[side].map - one.metrics[side].map, 4)
        for name, side in (("map", "test"), ("val", "val"))
        if side in fp32.metrics and side in one.metrics
    }
    mine, before = times[one.name], times[fp32.name]
    return {
        **drops,
        "speedup": round(before.whole.median / mine.whole.median, 2),
        "graph_speedup": round(before.graph.median / mine.graph.median, 2),
        "ms": round(mine.whole.median, 2),
        "ms_spread": [round(mine.whole.low, 2), round(mine.whole.high, 2)],
        "graph_ms": round(mine.graph.median, 2),
        "size": one.size,
        "pixels": bool(one.signature and one.signature.takes_pixels),
    }


if __name__ == "__main__":
    main()
