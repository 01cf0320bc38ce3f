"""`lineside models compare`: two model versions side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import mark, rows, size, spaced
from lineside.contract.compared import ClassPair, ModelsCompared
from lineside.contract.evaluation import Estimate
from lineside.contract.model import GateResult, Variant

_MARGIN = 1e-9


def compare(
    name: Annotated[str, typer.Argument(help="Name of a model.")],
    a: Annotated[str, typer.Argument(help="A version, an alias, or NAME:VERSION of another model.")],
    b: Annotated[str, typer.Argument(help="What it is compared with.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Compare two model versions: scores, classes, gates, variants, and what they were made with."""
    with session(url, root, json) as (client, out):
        out.show(client.compare_models(_reference(name, a), _reference(name, b)), draw)


def draw(found: ModelsCompared) -> RenderableType:
    """Everything that differs, table by table."""
    return spaced(_parts(found))


def _parts(found: ModelsCompared) -> Iterator[RenderableType]:
    a, b = found.a.label, found.b.label
    if not found.same_test:
        yield Text("They were scored on different test pictures: their scores say little about one another.")
    scores = ((one.side, _METRICS[one.metric], *_both(one.a, one.b, one.difference)) for one in found.scores)
    yield rows(("split", "score", a, b, "difference"), scores, "Neither was scored.")
    classes = ((one.label, *_both(one.a, one.b, one.difference), _word(one)) for one in found.classes)
    yield rows(("class", a, b, "difference", ""), classes, "No score by class is known.")
    yield rows(("gate", a, b), ((one.name, _gate(one.a), _gate(one.b)) for one in found.gates), "No gate judged them.")
    yield rows(("variant", a, b), ((one.name, _variant(one.a), _variant(one.b)) for one in found.variants), "")
    lines = ((one.name, str(one.a), str(one.b)) for one in found.differing)
    yield rows(("differs", a, b), lines, "They were made with the same.")
    if found.a.lineage.dataset and found.b.lineage.dataset and found.a.lineage.dataset != found.b.lineage.dataset:
        yield Text(f"lineside datasets diff {found.a.lineage.dataset} {found.b.lineage.dataset}")


_METRICS = {"map": "mAP50-95", "map50": "mAP50"}


def _reference(name: str, text: str) -> str:
    if ":" in text or "@" in text:
        return text
    return f"{name}:{text}" if text.isdecimal() else f"{name}@{text}"


def _both(a: Estimate | None, b: Estimate | None, difference: Estimate | None) -> tuple[RenderableType | None, ...]:
    return _estimate(a), _estimate(b), _difference(difference)


def _estimate(one: Estimate | None) -> Text | None:
    if one is None:
        return None
    return Text(f"{one.value:.3f}" + ("" if one.low is None else f" ({one.low:.3f} to {one.high:.3f})"))


def _difference(one: Estimate | None) -> Text | None:
    if one is None:
        return None
    interval = "" if one.low is None else f" ({one.low:+.3f} to {one.high:+.3f})"
    good = None if abs(one.value) < _MARGIN else one.value > 0
    return mark(good, f"{one.value:+.3f}{interval}")


def _word(one: ClassPair) -> str:
    if one.difference is None or one.difference.low is None:
        return ""
    return "more than chance" if one.certain else "may be chance"


def _gate(one: GateResult | None) -> Text | None:
    if one is None:
        return None
    return mark(one.passed, f"{'passed' if one.passed else 'not met'}: {one.value:.4g} of {one.limit:.4g}")


def _variant(one: Variant | None) -> str | None:
    if one is None:
        return None
    parts = [
        size(one.size),
        "" if one.latency_ms is None else f"{one.latency_ms:.1f} ms",
        "ships" if one.chosen else "",
    ]
    return ", ".join(part for part in parts if part)
