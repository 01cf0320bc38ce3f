"""`lineside models evaluate`: how good a registered version is on any labelled pictures."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from lineside.cli.follow import follow_run
from lineside.cli.options import Json, Model, Root, Url, which
from lineside.cli.output import session
from lineside.cli.table import details, rows
from lineside.client.evaluating import dataset_of, evaluated
from lineside.contract.counted import counted
from lineside.contract.evaluation import EVERYTHING, Estimate, Evaluated, EvaluateModel, Slice

Data = Annotated[
    str, typer.Option("--data", metavar="DIR|DATASET", help="A labelled folder, or a dataset version or its name.")
]
Split = Annotated[
    str | None,
    typer.Option("--split", help="test, val, train or all; of a folder all, of a dataset version test by default."),
]


def evaluate(
    model: Model, data: Data, split: Split = None, url: Url = None, root: Root = None, json: Json = False
) -> None:
    """Score a model version on a labelled folder or a dataset version, through the code that runs on devices."""
    with session(url, root, json) as (client, out):
        chosen = which(client, model)
        dataset, folder = dataset_of(client, data)
        wanted = EvaluateModel(dataset=dataset.id, split=split or (EVERYTHING if folder else "test"))
        run = follow_run(client, client.evaluate_model(*chosen, wanted), out.progress, quiet=out.json)
        out.show(evaluated(client, run), draw_evaluated)


def draw_evaluated(done: Evaluated) -> RenderableType:
    """The main numbers with their intervals, class by class and slice by slice."""
    side = done.score.sides[0]
    head = details(
        (
            ("model", done.model),
            ("dataset", f"{done.dataset}, {done.split}"),
            ("pictures", f"{done.images}, with {counted(done.boxes, 'box', 'boxes')}"),
            ("mAP50", _words(side.map50)),
            ("mAP50-95", _words(side.map)),
            ("evaluation", done.evaluation),
            ("run", done.run),
        )
    )
    classes = ((one.label, _words(one.map), one.images, one.boxes) for one in side.classes)
    slices = ((_name(one), _words(one.map), one.images, one.boxes) for one in side.slices)
    parts = [
        head,
        rows(("class", "mAP50-95", "pictures", "boxes"), classes, "No box of any class is there."),
        rows(("slice", "mAP50-95", "pictures", "boxes"), slices, ""),
    ]
    if done.seen:
        parts.append(
            Text(f"The model was trained or chosen on {done.seen} of these pictures: their score says nothing.")
        )
    return Group(*parts)


def _words(told: Estimate) -> str:
    interval = f" ({told.low:.3f} to {told.high:.3f})" if told.low is not None and told.high is not None else ""
    return f"{told.value:.3f}{interval}"


def _name(one: Slice) -> str:
    bounds = f" {one.low:.0f} to {one.high:.0f}" if one.kind == "brightness" and one.low is not None else ""
    return f"{one.kind} {one.name}{bounds}"
