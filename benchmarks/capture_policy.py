"""Whether the capture policy teaches a rare class sooner than chance does, at the same labelling budget.

Rendered tags (`lineside.pipeline.render`), where the truth is known: scratches shine; a rare groove is dark, from
hardly seen to black; streaks of oil are dark, too, but broad, and harmless. For each seed a model learns from a few
labelled pictures, looks at a day of the line through `lineside.runtime`, and two hundred pictures of that day are
labelled: those that the device's own chooser kept (filled up by chance if they are fewer), or as many by chance. With
the first pictures beside them, both train that model on, for as many steps each, and both are scored on the same
pictures, half of which show a groove: average precision by class, over overlaps of 0.5 to 0.95 (`groove`) and at 0.5
(`groove_50`).

Two lines, which see the same day: `known`, where the first pictures hold a few grooves, and `unseen`, where they hold
none, so that the model has no word for what is rare and the policy can only notice that it is unsure. The report says
what both give, and where the policy does not help (`no_better`): every measure whose margin reaches zero or below on
some seed. `wins`: on how many seeds the margin is above zero.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import finish, table
from lineside.contract.dataset import Box, ImageRecord, Split
from lineside.contract.ids import digest_of
from lineside.pipeline.metrics import score
from lineside.pipeline.render import HEIGHT, WIDTH, Plate, Scratch, photograph, plate
from lineside.pipeline.trainers.base import TrainImage, TrainJob, trainer
from lineside.runtime.captures.chooser import Chooser
from lineside.runtime.captures.counts import CaptureStatus, Tally
from lineside.runtime.captures.passed import Passed
from lineside.runtime.captures.settings import (
    CaptureSettings,
    ClassSettings,
    NothingSettings,
    RandomSettings,
    UncertainSettings,
)
from lineside.runtime.captures.strategies import Seen
from lineside.runtime.model import Model, load

COMMON, RARE = "scratch", "groove"
CLASSES = (COMMON, RARE)
_MEASURES = ("rare", RARE, f"{RARE}_50", COMMON, f"{COMMON}_50")
_DAY = 86400.0
_FAINTEST = 0.01  # average precision wants the unsure ones too
_PLATES = 48
_DEPTHS = (0.25, 1.0)  # of grooves: from hardly seen to black
_STREAKS = 0.15  # share of pictures with one
_FAINT = (0.2, 0.7)  # depths of streaks
_BROAD = 2.5  # times as broad as a scratch
_GOOD = 0.2  # share of pictures without anything


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    first: int  # labelled pictures before the day
    day: int  # pictures of the day
    budget: int  # of them that are labelled
    test: int
    rare: float = 0.02  # share of the day's pictures with a groove
    rare_first: float = 0.05  # of the first pictures, on the line `known`


FULL, QUICK = Sizes(120, 1500, 200, 240), Sizes(12, 60, 10, 12, rare=0.2, rare_first=0.2)
LINES = {"known": True, "unseen": False}


class Line:
    """Pictures of one line, from a pool of plates; each is written to the folder."""

    def __init__(self, folder: Path, seed: int, plates: int) -> None:
        self.folder, self._rng = folder, np.random.default_rng(seed)
        self._plates = [plate(self._rng, good=False) for _ in range(plates)]
        self._made = 0

    def pictures(self, count: int, rare: float, split: Split) -> list[ImageRecord]:
        """So many, in any order, of which the share `rare` shows a groove."""
        shown = self._rng.permutation(count) < round(count * rare)
        return [self._picture(bool(one), split) for one in shown]

    def _picture(self, rare: bool, split: Split) -> ImageRecord:
        metal, marks, oil = (self._plates[int(n)] for n in self._rng.integers(len(self._plates), size=3))
        scratches = [replace(one, bright=True) for one in marks.scratches]
        if rare:
            scratches[0] = replace(scratches[0], bright=False, depth=float(self._rng.uniform(*_DEPTHS)))
        elif self._rng.random() < _GOOD:
            scratches = []
        dx, dy = (float(value) for value in self._rng.uniform(-9, 9, 2))
        name = f"{self._made:05}.jpg"
        self._made += 1
        streaks = [self._streak(oil)] if self._rng.random() < _STREAKS else []
        subject = Plate(metal.metal, metal.hole, (*streaks, *scratches))
        photograph(subject, dx, dy, self._rng).save(self.folder / name, quality=88)
        boxes = []
        for one in scratches:
            x, y, width, height = (float(value) for value in one.box(dx, dy))
            boxes.append(Box(label=COMMON if one.bright else RARE, x=x, y=y, width=width, height=height))
        return ImageRecord(
            digest=name, file_name=name, width=WIDTH, height=HEIGHT, split=split, boxes=tuple(boxes), group=name
        )

    def _streak(self, oil: Plate) -> Scratch:
        one = oil.scratches[0]
        return replace(one, bright=False, width=one.width * _BROAD, depth=float(self._rng.uniform(*_FAINT)))


@dataclass(frozen=True, slots=True)
class Learned:
    """A model, and what it can be trained on from."""

    model: Model
    checkpoint: Path


@dataclass(frozen=True, slots=True)
class Learner:
    """Trains models on the pictures of a folder."""

    folder: Path
    parameters: dict[str, Any]
    further: dict[str, Any]  # instead of some of them, where a model is trained on

    def learn(self, records: Sequence[ImageRecord], seed: int, name: str, init: Path | None = None) -> Learned:
        """A model that saw these pictures, from scratch or from a checkpoint on."""
        made, work = trainer("compact"), self.folder / name
        work.mkdir()
        images = [
            TrainImage(
                self.folder / one.file_name,
                [(CLASSES.index(box.label), box.x, box.y, box.width, box.height) for box in one.boxes],
            )
            for one in records
        ]
        job = TrainJob(
            train=images,
            val=[],
            labels=CLASSES,
            parameters=self.parameters if init is None else self.parameters | self.further,
            seed=seed,
            init=init,
            workdir=work,
            threads=1,
        )
        checkpoint = made.train(job, lambda progress: None)
        made.export(checkpoint, CLASSES, self.parameters, work / "model.onnx")
        model = load(work / "model.onnx", made.signature(CLASSES, self.parameters), threads=1)
        return Learned(model, checkpoint)

    def scores(self, model: Model, records: Sequence[ImageRecord]) -> dict[str, float]:
        """Average precision by class: over overlaps of 0.5 to 0.95, and at 0.5."""
        found = {one.digest: model.detect(self._bytes(one), score_threshold=_FAINTEST) for one in records}
        each: dict[str, float] = {}
        for label in CLASSES:
            metrics = score([replace_boxes(one, label) for one in records], [label], found)
            each |= {label: metrics.map, f"{label}_50": metrics.map50}
        return each

    def chosen(
        self, model: Model, day: Sequence[ImageRecord], settings: CaptureSettings, budget: int
    ) -> tuple[list[ImageRecord], dict[str, int]]:
        """What the device's own chooser keeps of a day, and under which strategy."""
        now, tally = [0.0], Tally()
        passed = Passed(counter=lambda: now[0], wall=lambda: now[0], boot="day")
        chooser = Chooser(settings, passed=passed, tally=tally)
        threshold, kept = model.signature.score_threshold, []
        for one in day:
            now[0] += _DAY / len(day)
            data = self._bytes(one)
            told = model.detect_timed(data, score_threshold=min(threshold, chooser.lowest_score))
            published = [found for found in told.detections if found.confidence >= threshold]
            seen = Seen(digest_of(data), "line", told.detections, published, told.picture.image)
            if wanted := chooser.choose(seen):
                chooser.kept(wanted)
                kept.append(one)
        tally.into(status := CaptureStatus())
        return kept[:budget], {name: each.kept for name, each in status.strategies.items()}

    def _bytes(self, record: ImageRecord) -> bytes:
        return (self.folder / record.file_name).read_bytes()


def replace_boxes(record: ImageRecord, label: str) -> ImageRecord:
    """A picture with the boxes of one class alone."""
    boxes = tuple(box for box in record.boxes if box.label == label)
    return ImageRecord(
        digest=record.digest,
        file_name=record.file_name,
        width=record.width,
        height=record.height,
        split=record.split,
        boxes=boxes,
    )


def policy(budget: int, above: float) -> CaptureSettings:
    """As a device has it: a quarter by chance, then the rare class, what the model is unsure of, what it misses. A
    bucket gives its limit twice on the first day: once at the start, once as it fills again."""
    half = budget / 2
    return CaptureSettings(
        strategies=(
            RandomSettings(share=0.05, per_day=half * 0.25),
            ClassSettings(classes=(RARE,), above=above, per_day=half * 0.4),
            UncertainSettings(band=(0.15, 0.5), per_day=half * 0.25),
            NothingSettings(usual=0.6, per_day=half * 0.1),
        )
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a line shows in one go: its day and the pictures of the test are the same for both lines."""

    first: dict[str, list[ImageRecord]]
    day: list[ImageRecord]
    test: list[ImageRecord]


def shown(line: Line, sizes: Sizes) -> Shown:
    """Pictures of a plant, rendered."""
    day, test = line.pictures(sizes.day, sizes.rare, Split.TRAIN), line.pictures(sizes.test, 0.5, Split.TEST)
    rare = {name: sizes.rare_first if known else 0.0 for name, known in LINES.items()}
    first = {name: line.pictures(sizes.first, share, Split.TRAIN) for name, share in rare.items()}
    return Shown(first, day, test)


def both_ways(
    name: str, seed: int, learn: Learner, all_: Shown, budget: int, above: float
) -> dict[str, dict[str, float]]:
    """Policy and chance on one line: rare pictures among the labelled ones, and both classes' average precision."""
    first = all_.first[name]
    before = learn.learn(first, seed, f"{name}-before")
    kept, strategies = learn.chosen(before.model, all_.day, policy(budget, above), budget)
    rng = np.random.default_rng(seed)
    left = [all_.day[int(n)] for n in rng.permutation(len(all_.day))]
    names = {one.digest for one in kept}
    filled = kept + [one for one in left if one.digest not in names][: budget - len(kept)]
    report = {"before": learn.scores(before.model, all_.test) | {"rare": 0.0}}
    for way, labelled in (("policy", filled), ("random", left[:budget])):
        after = learn.learn([*first, *labelled], seed, f"{name}-{way}", before.checkpoint)
        scores = learn.scores(after.model, all_.test)
        report[way] = scores | {"rare": float(sum(any(b.label == RARE for b in one.boxes) for one in labelled))}
    report["kept"] = {strategy: float(count) for strategy, count in strategies.items()}
    return report


def summed(done: Sequence[dict[str, dict[str, float]]]) -> dict[str, object]:
    """Means over the seeds, and the policy's margin over chance, seed by seed."""
    out: dict[str, object] = {}
    for measure in _MEASURES:
        margins = [one["policy"][measure] - one["random"][measure] for one in done]
        for way in ("before", "policy", "random"):
            out[f"{way}_{measure}"] = round(statistics.mean(one[way][measure] for one in done), 3)
        out[f"margin_{measure}"] = round(statistics.mean(margins), 3)
        out[f"margin_{measure}_spread"] = [round(min(margins), 3), round(max(margins), 3)]
        out[f"wins_{measure}"] = sum(margin > 0 for margin in margins)
    return out


def one_seed(seed: int, options: argparse.Namespace) -> dict[str, dict[str, dict[str, float]]]:
    """Both ways on each line."""
    sizes, plates = replace(FULL, day=options.day, rare_first=options.rare_first), _PLATES
    if options.quick:
        sizes, plates = QUICK, 6
    parameters: dict[str, Any] = {"input_width": options.width, "input_height": options.height, "batch": 8}
    parameters |= {"epochs": options.epochs, "settle_epochs": max(1, options.epochs // 6)}
    further = {"epochs": options.further, "settle_epochs": max(1, options.further // 6)}
    with tempfile.TemporaryDirectory() as scratch:
        line = Line(Path(scratch), seed, plates)
        all_, learn = shown(line, sizes), Learner(line.folder, parameters, further)
        done = {}
        for name in options.lines:
            done[name] = both_ways(name, seed, learn, all_, sizes.budget, options.above)
            print(name, seed, json.dumps(done[name]), flush=True)
    return done


def main() -> None:
    """Both lines, several seeds at a time."""
    options = _options()
    seeds = range(options.seeds)
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        done = list(pool.map(one_seed, seeds, [options] * len(seeds)))
    rows: list[tuple[str, ...]] = [
        ("line", "seed", "grooves", "by chance", "AP groove", "by chance", "AP scratch", "by chance")
    ]
    for name in options.lines:
        for seed, one in zip(seeds, (each[name] for each in done), strict=True):
            told = [(one[way]["rare"], one[way][RARE], one[way][COMMON]) for way in ("policy", "random")]
            rows.append((name, str(seed), *(f"{value:.3g}" for pair in zip(*told, strict=True) for value in pair)))
    print(table(rows))
    report: dict[str, object] = {"budget": (QUICK if options.quick else FULL).budget, "seeds": options.seeds}
    sums = {name: summed([each[name] for each in done]) for name in options.lines}
    worse = [f"{m}, {name}" for name, each in sums.items() for m in _MEASURES if _reaches_zero(each, m)]
    finish(report | sums | {"no_better": worse}, as_json=options.json)


def _reaches_zero(sums: dict[str, Any], measure: str) -> bool:
    return bool(sums[f"margin_{measure}_spread"][0] <= 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=None, help="how many; 5 when left out")
    parser.add_argument("--epochs", type=int, default=None, help="of the first training; 80 when left out")
    parser.add_argument("--further", type=int, default=None, help="epochs of training on; 30 when left out")
    parser.add_argument("--lines", nargs="*", choices=tuple(LINES), default=list(LINES), help="both when left out")
    parser.add_argument("--day", type=int, default=FULL.day, help="pictures of the day")
    parser.add_argument(
        "--rare-first", type=float, default=FULL.rare_first, help="share of grooves in the first pictures of `known`"
    )
    parser.add_argument("--above", type=float, default=0.2, help="score from which a groove is kept as one")
    parser.add_argument("--width", type=int, default=None, help="of what the model sees, in pixels; 192 when left out")
    parser.add_argument("--height", type=int, default=None, help="128 when left out")
    parser.add_argument("--processes", type=int, default=2, help="seeds at a time, on a core each")
    parser.add_argument("--quick", action="store_true", help="two epochs at 64 pixels, ten pictures of sixty, one seed")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    options = parser.parse_args()
    options.seeds = options.seeds or (1 if options.quick else 5)
    options.epochs = options.epochs or (2 if options.quick else 80)
    options.further = options.further or (2 if options.quick else 30)
    options.width, options.height = (
        options.width or (64 if options.quick else 192),
        options.height or (64 if options.quick else 128),
    )
    return options


if __name__ == "__main__":
    main()
