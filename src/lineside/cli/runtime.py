"""`lineside runtime`: what a model finds on an image, and what this machine can carry with it. The runtime's own
program does the work; here a model of the control plane is fetched for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from lineside.cli.main import program
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.client import Client
from lineside.client.runnable import fetch_runnable

app = typer.Typer(name="runtime", help="Run a model on this machine.", no_args_is_help=True)

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A folder of a model's component, an ONNX file with its signature.json beside it, or NAME:VERSION.",
    ),
]


@app.command()
def bench(
    model: Model,
    image: Annotated[Path | None, typer.Argument(help="Without one, the first of the model's golden set.")] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.01, help="For each resolution and number of threads.")
    ] = 1.0,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: one, and the cores there are.")] = 0,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Tell what this machine can carry: images a second by resolution and threads, latency, memory, cameras."""
    with _runnable(model, url, root, json) as folder:
        more = [str(image)] if image else []
        options = ["--seconds", str(seconds), "--threads", str(threads), *(["--json"] if json else [])]
        status = program("runtime", ["carry", str(folder), *more, *options])
    raise typer.Exit(status)


@app.command()
def status(
    work: Annotated[Path, typer.Option("--work", help="The work folder of a run: <root>/work/COMPONENT.")],
    json: Json = False,
) -> None:
    """Show what a run says of itself: its images, and what its captures kept and refused, by strategy and reason."""
    raise typer.Exit(program("runtime", ["status", "--work", str(work), *(["--json"] if json else [])]))


@app.command("try")
def try_(
    model: Model,
    image: Annotated[Path, typer.Argument(help="A JPEG, PNG, BMP, WebP or TIFF.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the image with its boxes drawn, as PNG.")] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", min=0.0, max=1.0, help="Lowest confidence; else the signature's.")
    ] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show what a model finds on one image, and draw its boxes."""
    with _runnable(model, url, root, json) as folder:
        options = [
            *(["--out", str(out)] if out else []),
            *(["--threshold", str(threshold)] if threshold is not None else []),
            *(["--json"] if json else []),
        ]
        status = program("runtime", ["try", str(folder), str(image), *options])
    raise typer.Exit(status)


@contextmanager
def _runnable(model: str, url: str | None, root: Path | None, json: bool) -> Iterator[Path]:
    """What is there on this machine, or what the control plane has by that name, for as long as it is needed. What
    can only be a path is one, there or not."""
    if Path(model).exists() or "/" in model or model.endswith(".onnx"):
        yield Path(model)
        return
    with tempfile.TemporaryDirectory(prefix="lineside-model-") as place:
        with session(url, root, json) as (client, _):
            _fetch(client, model, Path(place))
        yield Path(place)


def _fetch(client: Client, model: str, place: Path) -> None:
    fetch_runnable(client, client.find_model(model), place)
