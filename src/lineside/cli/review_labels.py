"""`lineside review export`, `import` and `labelstudio`: labels go to other tools and come back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details
from lineside.client.label_studio import LabelStudio
from lineside.client.labels import save_labels, send_labels
from lineside.contract.errors import LinesideError
from lineside.contract.review import LabelsReport, NextRequest, ReviewExport

labelstudio = typer.Typer(name="labelstudio", help="Label Studio: captures there, labels back.", no_args_is_help=True)

_FORMATS = "coco (CVAT's COCO 1.0), darknet (its YOLO 1.1), sagemaker, labelstudio, voc, csv, yolo"
Form = Annotated[str | None, typer.Option("--format", help=f"Where it cannot be told: {_FORMATS}.")]
Strategy = Annotated[str | None, typer.Option("--strategy", help="Only captures kept by this strategy.")]
Server = Annotated[str, typer.Option("--server", help="Address of Label Studio.")]
Project = Annotated[int, typer.Option("--project", help="Number of a project there.")]
Token = Annotated[Path, typer.Option("--token-file", help="A file with your personal access token there.")]


def export(
    to: Annotated[Path, typer.Option("--to", help="A new or empty folder, or a new file that ends in .zip.")],
    form: Annotated[str, typer.Option("--format", help=f"How to write labels: {_FORMATS}.")] = "coco",
    count: Annotated[int, typer.Option("--count", min=1, max=1000, help="So many captures.")] = 100,
    hours: Annotated[int, typer.Option("--hours", min=1, max=720, help="Nobody else is given them so long.")] = 24,
    strategy: Strategy = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Write captures with their predictions, for another tool."""
    with session(url, root, json) as (client, out):
        listing = client.export_reviews(ReviewExport(format=form, count=count, hours=hours, strategy=strategy))
        save_labels(client, listing, to)
        out.show(listing, lambda found: details((("files", len(found.files)), ("in", str(to)))))


def import_(
    path: Annotated[Path, typer.Argument(help="A folder, a zip or a file with labels.")],
    form: Form = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Take labels of another tool as your answers: every picture that they list counts as reviewed."""
    with session(url, root, json) as (client, out):
        out.show(send_labels(client, path, form), _report)


@labelstudio.command()
def push(
    server: Server,
    project: Project,
    token_file: Token,
    count: Annotated[int, typer.Option("--count", min=1, max=100, help="So many captures.")] = 50,
    strategy: Strategy = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Make tasks of captures there, with what the model predicted."""
    with session(url, root, json) as (client, out):
        studio = LabelStudio(server, _token(token_file))
        batch = client.next_reviews(NextRequest(count=count, strategy=strategy))
        out.show({"tasks": studio.push(client, project, batch)}, lambda made: details((("tasks", made["tasks"]),)))


@labelstudio.command()
def pull(
    server: Server, project: Project, token_file: Token, url: Url = None, root: Root = None, json: Json = False
) -> None:
    """Take the labels of finished tasks there as your answers."""
    with session(url, root, json) as (client, out):
        out.show(LabelStudio(server, _token(token_file)).pull(client, project), _report)


def _token(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LinesideError("request.invalid", why=f"{file} cannot be read: {error}") from error


def _report(report: LabelsReport) -> RenderableType:
    odd = "\n".join(f"{one.count} x {one.message}" for one in report.warnings)
    head = (("answered", report.answered), ("answered before", report.passed_over), ("odd", odd or None))
    return details(head)
