"""`lineside models export`: a model version as a folder, or in an MLflow server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.extras import need_extra
from lineside.cli.options import Json, Model, Root, Url, which
from lineside.cli.output import session
from lineside.cli.table import details, rows, size
from lineside.client.mlflow_export import MlflowExport, export_to_mlflow
from lineside.client.model_folder import MANIFEST, ModelExport, export_folder

_MLFLOW = "mlflow"


def export(
    model: Model,
    to: Annotated[str, typer.Option("--to", metavar="DIR|mlflow", help="A folder to write, or an MLflow server.")],
    tracking_uri: Annotated[
        str, typer.Option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="Address of the MLflow server.")
    ] = "",
    experiment: Annotated[str, typer.Option("--experiment", help="Its experiment; else the model's name.")] = "",
    name: Annotated[str, typer.Option("--name", help="The registered model there; else the model's name.")] = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Write a model version with all that is known about it to a folder, or to an MLflow server."""
    if to == _MLFLOW and not tracking_uri:
        raise typer.BadParameter("--to mlflow needs --tracking-uri")
    with session(url, root, json) as (client, out):
        found = client.model(*which(client, model))
        if to == _MLFLOW:
            need_extra(_MLFLOW)
            exported = export_to_mlflow(client, found, tracking_uri, experiment=experiment, name=name)
            out.show(exported, _registered)
        else:
            out.show(export_folder(client, found, Path(to)), _files)


def _registered(found: MlflowExport) -> RenderableType:
    return details(
        (
            ("model", found.model),
            ("registered as", f"{found.name} version {found.version}" + ("" if found.created else " (it was there)")),
            ("run", found.run),
            ("experiment", found.experiment),
            ("server", found.uri),
        )
    )


def _files(found: ModelExport) -> RenderableType:
    lines = ((path, size(one.size), one.digest) for path, one in found.files.items())
    return rows(("file", "size", "digest"), (*lines, (MANIFEST, "", "")), "")
