"""`lineside datasets check|stats|diff|field`: what can be found out about dataset versions, and field sets."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from lineside.cli.options import Json, Limit, Offset, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, mark, rows, spaced
from lineside.contract.counted import counted
from lineside.contract.dataset import Split
from lineside.contract.dataset_check import (
    Change,
    CheckReport,
    DatasetDiff,
    DatasetStats,
    FieldReport,
    FieldRequest,
    Finding,
    Histogram,
    JudgedSplit,
)
from lineside.contract.gate import Level

EXIT_BLOCKED = 3
"""How a check ends that found something of level BLOCK."""

_BAR = 40  # letters of the longest bar

Which = Annotated[str, typer.Argument(help="A dataset version, ds-…, or a name for its newest.")]


def check(
    dataset: Which,
    split: Annotated[
        JudgedSplit,
        typer.Option("--split", help="Judge its own split, or show what a random one leaks."),
    ] = JudgedSplit.OWN,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Look for problems of labels and for leaks; status 3 when something blocks."""
    with session(url, root, json) as (client, out):
        report = client.check_dataset(dataset, split)
        out.show(report, _checked)
        if report.blocked:
            raise typer.Exit(EXIT_BLOCKED)


def stats(dataset: Which, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Count classes, sizes, brightness, boxes an image, groups and sides."""
    with session(url, root, json) as (client, out):
        out.show(client.dataset_stats(dataset), _stats)


def diff(
    before: Annotated[str, typer.Argument(help="A dataset version, ds-…, or a name for its newest.")],
    after: Annotated[str, typer.Argument(help="Another one.")],
    change: Annotated[Change | None, typer.Option("--change", help="Only changes of this kind.")] = None,
    offset: Offset = 0,
    limit: Limit = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show what differs between two versions: images, labels, sides."""
    kind = change.value if change else None
    with session(url, root, json) as (client, out):
        out.show(client.diff_datasets(before, after, change=kind, offset=offset, limit=limit), _diff)


def field(
    name: Annotated[str, typer.Argument(help="The dataset beside which the field set NAME-field grows.")],
    source: Annotated[
        list[str] | None,
        typer.Option("--from", help="A labelled version to take from, ds-… or a name; the dataset itself by default."),
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only what was taken since then, RFC 3339.")] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Grow the dated test set of a dataset from what was labelled lately."""
    with session(url, root, json) as (client, out):
        request = FieldRequest(name=name, sources=tuple(source or ()), since=since)
        out.show(client.grow_field_set(request), _field)


def _checked(report: CheckReport) -> RenderableType:
    judged = "its own split" if report.split is JudgedSplit.OWN else "a random split"
    verdict = mark(not report.blocked, "blocked" if report.blocked else "nothing blocks")
    head = details((("dataset", report.dataset), ("judged", judged), ("images", report.images), ("verdict", verdict)))
    lines = (
        (
            mark(False if one.level is Level.BLOCK else None, one.level.value),
            one.code,
            one.count,
            one.images,
            one.message,
        )
        for one in report.findings
    )
    table = rows(("level", "code", "times", "images", "finding"), lines, "Nothing was found.")
    return spaced((head, table, *(_examples(finding) for finding in report.findings)))


def _level(level: Level) -> Text:
    return mark(False if level is Level.BLOCK else None, level.value)


def _examples(finding: Finding) -> RenderableType:
    lines = ((example.file_name, example.detail) for example in finding.examples[:5])
    return Group(Text(finding.code, style="bold"), rows(("image", "where"), lines, ""))


def _stats(stats: DatasetStats) -> RenderableType:
    sides = ((one.side.value, one.images, one.boxes, one.empty, one.groups) for one in stats.sides)
    classes = ((one.label, str(one.boxes), *[str(one.images[side.value]) for side in Split]) for one in stats.classes)
    sources = ((name, count) for name, count in stats.sources.items())
    groups = details(
        (("groups", stats.groups), ("largest group", stats.largest_group), ("without a group", stats.ungrouped))
    )
    return spaced(
        (
            rows(("side", "images", "boxes", "without boxes", "groups"), sides, ""),
            rows(("class", "boxes", "train images", "val images", "test images"), classes, ""),
            groups,
            rows(("labels from", "boxes"), sources, "No boxes."),
            rows(("pixels", "images"), stats.pictures.items(), ""),
            _bars("boxes an image", stats.boxes_an_image),
            _bars("box size, pixels", stats.box_sizes),
            _bars("brightness", stats.brightness),
        )
    )


def _bars(title: str, histogram: Histogram) -> RenderableType:
    most = max(histogram.counts, default=0) or 1
    lines = (
        (f"{edge:g}", count, "█" * round(_BAR * count / most))
        for edge, count in zip(histogram.edges, histogram.counts, strict=True)
    )
    return rows((f"{title} from", "count", ""), lines, "")


def _diff(diff: DatasetDiff) -> RenderableType:
    head = details(
        (
            ("before", f"{diff.before.id}, {counted(diff.before.images, 'image')}"),
            ("after", f"{diff.after.id}, {counted(diff.after.images, 'image')}"),
            ("added", diff.counts["added"]),
            ("removed", diff.counts["removed"]),
            ("other labels", diff.counts["labels"]),
            ("other side", diff.counts["side"]),
            ("new classes", ", ".join(diff.classes_added)),
            ("classes gone", ", ".join(diff.classes_removed)),
        )
    )
    lines = ((one.change.value, one.file_name, one.detail) for one in diff.changes)
    return spaced((head, rows(("change", "image", "how"), lines, "No image differs.")))


def _field(report: FieldReport) -> RenderableType:
    return details(
        (
            ("field set", f"{report.version.name} {report.version.id}"),
            ("images", report.version.images),
            ("added", report.added),
            ("left out", ", ".join(f"{count} {why}" for why, count in report.left_out.items() if count)),
        )
    )
