"""The generated part of a model card: Markdown, written from what is known about a version and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lineside.contract.counted import counted
from lineside.contract.dataset import DatasetVersion
from lineside.contract.evaluation import Estimate, Evaluation, Side
from lineside.contract.model import Metrics, ModelVersion

_IMPORTED = "imported"
_SHOWN_MISTAKES = 5
_SMALL_SAMPLE = 100
_MARKUP = re.compile(r"([\\`*_\[\]<>|#~])")


def generated(model: ModelVersion, dataset: DatasetVersion | None, evaluation: Evaluation | None) -> str:
    """The card of a version; the same version gives the same text. `dataset` is the one it was made from."""
    parts = (
        [f"# {plain(model.label)}", "", _what(model)],
        _section("Data", _data(model, dataset)),
        _section("How good it is", _scores(model, evaluation)),
        _section("Where it is worse", _slices(evaluation)),
        _section("Gates", _gates(model)),
        _section("What ships", _variants(model)),
        _section("Limits", (f"- {line}" for line in _limits(model, evaluation))),
        _section("Lineage", _lineage(model)),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def plain(text: object) -> str:
    """Words of others in Markdown: one line, and nothing in it is markup."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def in_words(value: object) -> str:
    """A value of JSON without its punctuation."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {in_words(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    return "none" if value in (None, "") else str(value)


def figure(value: float) -> str:
    """A number to three places at most, and never a minus before nothing."""
    return f"{round(value, 3) + 0.0:.10g}"


def estimate(one: Estimate) -> str:
    """`0.512 (0.431 to 0.580)`."""
    return f"{one.value:.3f}" + ("" if one.low is None or one.high is None else f" ({one.low:.3f} to {one.high:.3f})")


def _what(model: ModelVersion) -> str:
    signature = model.signature
    labels = ", ".join(plain(label) for label in signature.labels)
    size = f"{signature.input_width} × {signature.input_height} pixels, {plain(signature.channels)}"
    cut = f", without padding beyond multiples of {signature.size_divisor}" if signature.size_divisor else ""
    return (
        f"It finds {labels} in pictures, which it sees as {size} (letterbox {plain(signature.letterbox)}{cut}). Its "
        f"output is read by the head {plain(signature.head)}. Devices publish what it is at least "
        f"{signature.score_threshold:.2f} sure of."
    )


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    body = list(lines)
    if body:
        yield from ("", f"## {title}", "", *body)


def _data(model: ModelVersion, dataset: DatasetVersion | None) -> Iterator[str]:
    lineage = model.lineage
    if lineage.dataset is None:
        yield "Nobody said what it was trained on."
        return
    if dataset is None:
        yield f"Dataset version {plain(lineage.dataset)}, which is not here any more."
        return
    yield (
        f"Dataset version {plain(dataset.id)} of {plain(dataset.name)}: {dataset.images} {plain(dataset.origin)} with "
        f"{counted(dataset.boxes, 'box', 'boxes')}, digest `{dataset.digest}`."
    )
    sides = ", ".join(f"{count} {side}" for side, count in dataset.splits.items())
    groups = f"pictures of one group are on one side ({counted(dataset.groups, 'group')})"
    yield f"Split by {plain(dataset.split_by)} into {sides}; {groups}."
    for warning in dataset.warnings:
        yield f"\n> {warning.count} × {plain(warning.message)}"


def _scores(model: ModelVersion, evaluation: Evaluation | None) -> Iterator[str]:
    if evaluation is not None and evaluation.sides:
        for side in evaluation.sides:
            yield from _side(side)
        yield f"In brackets: 95 % intervals, by bootstrap over pictures ({evaluation.resamples} draws)."
        if evaluation.threshold is not None:
            chosen, cost = evaluation.threshold.chosen, evaluation.threshold.missed_cost
            chosen_by = f": the cheapest, a miss being said to cost {cost:g} of them"
            said = chosen_by if "cost" in model.lineage.parameters else ""
            missed = counted(chosen.missed, "object is", "objects are")
            yield (
                f"\nAt the threshold {evaluation.threshold.value:.2f}, which ships, {missed} missed on "
                f"{counted(evaluation.threshold.images, 'val picture')}, with "
                f"{counted(chosen.false_alarms, 'false alarm')}{said}."
            )
        if evaluation.no_threshold:
            yield f"\n> {evaluation.no_threshold}"
    elif model.metrics:
        yield from _table(
            ("pictures", "mAP50", "mAP50-95", "images", "boxes"),
            (_metrics(split, metrics) for split, metrics in model.metrics.items()),
        )
        yield "No intervals are known."
        yield from _per_class(model.metrics.get("test"))
    else:
        yield "It was never scored."


def _metrics(split: str, one: Metrics) -> tuple[object, ...]:
    return plain(split), f"{one.map50:.3f}", f"{one.map:.3f}", one.images, one.boxes


def _per_class(test: Metrics | None) -> Iterator[str]:
    if test is not None and test.per_class:
        yield ""
        yield from _table(("class", "mAP50-95"), ((plain(k), f"{v:.3f}") for k, v in sorted(test.per_class.items())))


def _side(side: Side) -> Iterator[str]:
    left = f"; {side.left_out} more were trained on and left out" if side.left_out else ""
    what = f"{counted(side.images, 'picture')}, {counted(side.boxes, 'box', 'boxes')}"
    yield f"On the {plain(side.name)} pictures ({what}{left}):\n"
    rows: list[tuple[object, ...]] = [("**all**", estimate(side.map), side.images, side.boxes)]
    rows += [(plain(one.label), estimate(one.map), one.images, one.boxes) for one in side.classes]
    yield from _table(("class", "mAP50-95", "images", "boxes"), rows)
    yield f"mAP50 is {estimate(side.map50)}.\n"


def _slices(evaluation: Evaluation | None) -> Iterator[str]:
    """The parts whose interval lies wholly under the score of all: where it is worse, and not by chance alone."""
    if evaluation is None or not evaluation.sides:
        return
    side = evaluation.sides[0]
    worse = [one for one in side.slices if one.map.high is not None and one.map.high < side.map.value]
    if not worse:
        yield "No slice is worse than all pictures by more than chance." if side.slices else "No slice was scored."
        return
    worse.sort(key=lambda one: one.map.value)
    rows = ((f"{plain(one.kind)}: {plain(one.name)}", estimate(one.map), one.images, one.boxes) for one in worse)
    yield from _table(("slice", "mAP50-95", "images", "boxes"), rows)


def _gates(model: ModelVersion) -> Iterator[str]:
    rows = (
        (
            plain(gate.name),
            gate.level,
            "passed" if gate.passed else "**not met**",
            figure(gate.value),
            figure(gate.limit),
        )
        for gate in model.gates
    )
    if model.gates:
        yield from _table(("gate", "level", "result", "value", "limit"), rows)


def _variants(model: ModelVersion) -> Iterator[str]:
    rows = (
        (
            f"**{plain(one.name)}**" if one.chosen else plain(one.name),
            f"{one.size / 1e6:.2f} MB" if one.size >= 1e4 else f"{one.size} bytes",
            "–" if one.latency_ms is None else f"{one.latency_ms:.1f} ms",
            plain(one.reason),
        )
        for one in model.variants
    )
    yield from _table(("variant", "size", "one picture", "why"), rows)


def _limits(model: ModelVersion, evaluation: Evaluation | None) -> Iterator[str]:
    """What the numbers themselves say it is not good for."""
    test = model.metrics.get("test")
    if test is None:
        yield "It was never scored on test pictures: nobody knows how good it is."
    elif test.images < _SMALL_SAMPLE:
        yield f"It was tested on {counted(test.images, 'picture')} only; read the intervals."
    if test is not None:
        unseen = sorted(set(model.signature.labels) - test.per_class.keys()) if test.per_class else []
        if unseen:
            yield f"No test picture has: {', '.join(map(plain, unseen))}."
    for gate in model.gates:
        if not gate.passed:
            yield f"Gate {plain(gate.name)}: {plain(gate.sentence)}"
    if evaluation is not None:
        for one in evaluation.missed[:_SHOWN_MISTAKES]:
            yield f"It misses {len(one.missed)} of {len(one.truth)} objects on {plain(one.file_name)}."
    if model.baseline is None:
        yield "There is no drift baseline: devices cannot say when what they see has changed."
    yield "It knows the classes above and nothing else; what is none of them may be found as one of them."


def _lineage(model: ModelVersion) -> Iterator[str]:
    lineage = model.lineage
    made = f"in run {plain(lineage.run)}, " if lineage.run else ""
    code = f"{made}code {plain(lineage.code_version)}"
    if lineage.trainer == _IMPORTED:
        yield f"- Trained elsewhere, and imported {code}: the file `{plain(lineage.init)}`."
    else:
        yield f"- Trained by {plain(lineage.trainer)} with seed {lineage.seed}, {code}."
        yield f"- Started from {f'the weights `{plain(lineage.init)}`' if lineage.init else 'random weights'}."
    if lineage.parameters:
        said = ", ".join(
            f"{plain(name)} {plain(in_words(value))}" for name, value in sorted(lineage.parameters.items())
        )
        yield f"- Parameters: {said}."
    yield f"- File `{model.digest}`, golden set `{model.golden}`."


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"
    yield ""
