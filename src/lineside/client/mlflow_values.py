"""What an MLflow run says of a model version: parameters, metrics, curves, tags, in names that MLflow takes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from lineside.contract.evaluation import Estimate, Evaluation
from lineside.contract.model import Metrics, ModelVersion
from lineside.contract.run import CurvePoint

_MOST_NAME, _MOST_PARAMETER, _MOST_TAG = 250, 6000, 5000
_NOT_TAKEN = re.compile(r"[^A-Za-z0-9_\-. /]")
_CLIMBING = re.compile(r"(^|/)(\.{1,2}|)(?=/|$)")


class Value(NamedTuple):
    """One metric; `step` is an epoch, 0 for what has none."""

    name: str
    value: float
    step: int = 0


def named(text: str) -> str:
    """A name that MLflow takes: letters, digits and `_-. /`, no part empty or climbing, at most 250 characters."""
    return _CLIMBING.sub(r"\1_", _NOT_TAKEN.sub("_", text))[:_MOST_NAME].rstrip("/ ") or "_"


def parameters(model: ModelVersion) -> dict[str, str]:
    """What it was made with."""
    lineage, signature = model.lineage, model.signature
    known: dict[str, Any] = {
        "trainer": lineage.trainer,
        "seed": lineage.seed,
        "dataset": lineage.dataset,
        "dataset_digest": lineage.dataset_digest,
        "split_by": lineage.split_by,
        "init": lineage.init,
        "code_version": lineage.code_version,
        "head": signature.head,
        "input": f"{signature.input_width}x{signature.input_height} {signature.channels}",
        "labels": ", ".join(signature.labels),
        "score_threshold": signature.score_threshold,
        "variant": model.variant,
    }
    known |= {f"parameter/{name}": value for name, value in lineage.parameters.items()}
    return {named(name): _text(value)[:_MOST_PARAMETER] for name, value in known.items() if value is not None}


def metrics(model: ModelVersion, evaluation: Evaluation | None) -> list[Value]:
    """Scores of the file that ships, of every variant, of the evaluation with its intervals, and what gates judged."""
    found = [*_split("", model.metrics)]
    for variant in model.variants:
        found += _split(f"variant/{variant.name}/", variant.metrics)
        found.append(Value(named(f"variant/{variant.name}/size_bytes"), variant.size))
        if variant.latency_ms is not None:
            found.append(Value(named(f"variant/{variant.name}/latency_ms"), variant.latency_ms))
    for gate in model.gates:
        found.append(Value(named(f"gate/{gate.name}/value"), gate.value))
        found.append(Value(named(f"gate/{gate.name}/passed"), float(gate.passed)))
    return _once([*found, *_evaluated(evaluation)])


def curves(points: Iterable[CurvePoint]) -> list[Value]:
    """Training curves; the step is the epoch."""
    return [Value(named(f"train/{point.series}"), point.value, point.epoch) for point in points]


def tags(model: ModelVersion, url: str) -> dict[str, str]:
    """Where it comes from."""
    known = {
        "lineside.model": model.label,
        "lineside.digest": model.digest,
        "lineside.state": model.state.value,
        "lineside.run": model.lineage.run or "",
        "lineside.url": f"{url}/models/{model.name}/{model.version}",
    }
    return {name: value[:_MOST_TAG] for name, value in known.items() if value}


def _split(prefix: str, scored: dict[str, Metrics]) -> Iterator[Value]:
    for split, one in scored.items():
        yield Value(named(f"{prefix}{split}/map"), one.map)
        yield Value(named(f"{prefix}{split}/map50"), one.map50)
        yield Value(named(f"{prefix}{split}/images"), one.images)
        for label, value in one.per_class.items():
            yield Value(named(f"{prefix}{split}/class/{label}"), value)


def _evaluated(evaluation: Evaluation | None) -> Iterator[Value]:
    for side in evaluation.sides if evaluation else ():
        yield from _estimate(f"evaluation/{side.name}/map", side.map)
        yield from _estimate(f"evaluation/{side.name}/map50", side.map50)
        for one in side.classes:
            yield from _estimate(f"evaluation/{side.name}/class/{one.label}", one.map)
        for part in side.slices:
            yield from _estimate(f"evaluation/{side.name}/slice/{part.kind}/{part.name}", part.map)


def _estimate(name: str, one: Estimate) -> Iterator[Value]:
    yield Value(named(name), one.value)
    for end, value in (("low", one.low), ("high", one.high)):
        if value is not None:
            yield Value(named(f"{name}.{end}"), value)


def _once(values: Sequence[Value]) -> list[Value]:
    """One value a name: two names of ours may be one that MLflow takes; the first stays."""
    return list({value.name: value for value in reversed(values)}.values())[::-1]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
