"""`lineside devices exports`: files that a device's components handed over through streams."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.asking import Name
from lineside.cli.options import Json, Limit, Offset, Root, Url
from lineside.cli.output import session
from lineside.cli.table import rows, size, when
from lineside.contract.export import ExportPage


def exports(
    name: Name,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write each file listed into this folder, named by its export's id.")
    ] = None,
    offset: Offset = 0,
    limit: Limit = 50,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List files that a device's components exported, newest first, and save them when asked to."""
    with session(url, root, json) as (client, out):
        page = client.device_exports(name, offset=offset, limit=limit)
        if save is not None:
            save.mkdir(parents=True, exist_ok=True)
            for export in page.exports:
                client.fetch_blob(export.record.digest, save / export.record.id)
        out.show(page, _table)


def _table(page: ExportPage) -> RenderableType:
    records = [(one.record, one.uploaded_at) for one in page.exports]
    lines = ((r.id, r.bucket, r.key, r.stream, size(r.size), when(at)) for r, at in records)
    headings = ("id", "bucket", "key", "stream", "size", "uploaded")
    return rows(headings, lines, "No export yet. docs/streams.md says how.")
