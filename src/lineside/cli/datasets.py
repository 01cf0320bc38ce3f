"""`lineside datasets`: immutable sets of images, boxes and a split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.progress import Progress

from lineside.cli.dataset_checks import check, diff, field, stats
from lineside.cli.options import Json, Limit, Offset, Root, Url
from lineside.cli.output import Output, session
from lineside.cli.table import details, rows, spaced, when
from lineside.client.downloading import Exported, download_folder
from lineside.client.folder import upload_folder
from lineside.client.known_digests import known_digests
from lineside.contract.counted import counted
from lineside.contract.dataset import (
    Counted,
    DatasetPage,
    DatasetVersion,
    ImagePage,
    ImageRecord,
    ImportReport,
    LabelFrom,
    Split,
    source_of,
)

app = typer.Typer(name="datasets", help="Dataset versions.", no_args_is_help=True)

_FORMATS = "coco, voc, yolo, labelstudio, sagemaker, darknet (CVAT's YOLO 1.1), csv"

Dataset = Annotated[str, typer.Argument(help="Id of a dataset version, ds-….")]


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="A folder of images and labels, see docs/formats.md.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the dataset; the folder's own by default.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help=f"Which labels to read where there are several: {_FORMATS}.")
    ] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Import a folder as a dataset version; the same content again is the same version."""
    with session(url, root, json) as (client, out):
        with _progress(out) as moved, known_digests() as known:
            name = name or folder.resolve().name
            report = upload_folder(client, folder, name, moved, known=known, form=form)
        out.show(report, _report)


@app.command()
def export(
    dataset: Dataset,
    to: Annotated[Path, typer.Option("--to", help="A new or empty folder, or one where an export broke off.")],
    form: Annotated[str, typer.Option("--format", help=f"How to write labels: {_FORMATS}.")] = "coco",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Write a dataset version into a folder; what a format cannot say is counted."""
    with session(url, root, json) as (client, out):
        with _progress(out) as moved:
            exported = download_folder(client, dataset, form, to, moved)
        out.show(exported, _exported)


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Option("--name", help="Only versions of this name.")] = None,
    offset: Offset = 0,
    limit: Limit = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List dataset versions, newest first."""
    with session(url, root, json) as (client, out):
        out.show(client.datasets(name=name, offset=offset, limit=limit), _table)


@app.command()
def show(dataset: Dataset, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show a dataset version: classes, split, and what was odd about the data."""
    with session(url, root, json) as (client, out):
        out.show(client.dataset(dataset), _details)


@app.command()
def images(
    dataset: Dataset,
    split: Annotated[Split | None, typer.Option("--split", help="Only images of this side.")] = None,
    label: Annotated[str | None, typer.Option("--class", help="Only images with boxes of this class.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Only images of this group.")] = None,
    source: Annotated[LabelFrom | None, typer.Option("--source", help="Only images with labels from there.")] = None,
    finding: Annotated[
        str | None, typer.Option("--finding", help="Only images that the newest check found this of: check.….")
    ] = None,
    offset: Offset = 0,
    limit: Limit = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List images of a dataset version."""
    filters = {"split": split and split.value, "source": source and source.value}
    filters |= {"label": label, "group": group, "finding": finding}
    with session(url, root, json) as (client, out):
        out.show(client.dataset_images(dataset, **filters, offset=offset, limit=limit), _images)


for inspecting in (check, stats, diff, field):
    app.command()(inspecting)


@contextmanager
def _progress(out: Output) -> Iterator[Callable[[int, int, str], None]]:
    with Progress(console=out.progress, transient=True, disable=not out.progress.is_terminal) as bars:
        bar = bars.add_task("reading")
        yield lambda done, total, what: bars.update(bar, description=what, completed=done, total=total)


def _exported(exported: Exported) -> RenderableType:
    head = details(
        (
            ("exported", exported.dataset),
            ("format", exported.format),
            ("folder", exported.folder),
            ("files", f"{exported.files}, {exported.fetched} fetched now"),
        )
    )
    return Group(head, _warnings(exported.warnings)) if exported.warnings else head


def _report(report: ImportReport) -> RenderableType:
    news = "a new version" if report.created else "this very version was there already"
    return _details(report.version, news)


def _table(page: DatasetPage) -> RenderableType:
    lines = (
        (
            version.id,
            version.name,
            version.format,
            version.images,
            version.boxes,
            len(version.classes),
            _split(version),
            when(version.created_at),
        )
        for version in page.versions
    )
    headings = ("id", "name", "format", "images", "boxes", "classes", "train/val/test", "created")
    table = rows(headings, lines, "No dataset there. Import one: lineside datasets import DIR")
    shown = page.offset + len(page.versions)
    return Group(table, f"{shown} of {page.total}; more: --offset {shown}") if shown < page.total else table


def _details(version: DatasetVersion, imported: str | None = None) -> RenderableType:
    head = details(
        (
            ("imported", imported),
            ("id", version.id),
            ("name", version.name),
            ("format", f"{version.format}, {version.origin}"),
            ("images", version.images),
            ("boxes", version.boxes),
            ("classes", ", ".join(version.classes)),
            ("train/val/test", f"{_split(version)}, by {version.split_by}, {counted(version.groups, 'group')}"),
            ("created", when(version.created_at)),
            ("digest", version.digest),
            ("next", f"lineside runs start --dataset {version.id} --model NAME --wait"),
        )
    )
    return spaced([head, _warnings(version.warnings)]) if version.warnings else head


def _split(version: DatasetVersion) -> str:
    return "/".join(str(version.splits.get(side.value, 0)) for side in Split)


def _warnings(warnings: Sequence[Counted]) -> RenderableType:
    lines = ((warning.count, warning.message, ", ".join(warning.examples)) for warning in warnings)
    return rows(("times", "warning", "examples"), lines, "")


def _images(page: ImagePage) -> RenderableType:
    lines = (
        (
            image.file_name,
            f"{image.width}x{image.height}",
            image.split.value,
            image.group,
            len(image.boxes),
            _from(image),
        )
        for image in page.images
    )
    return rows(("file", "pixels", "split", "group", "boxes", "labels from"), lines, "No image there.")


def _from(image: ImageRecord) -> str:
    return ", ".join(sorted({source_of(box).value for box in image.boxes}))
