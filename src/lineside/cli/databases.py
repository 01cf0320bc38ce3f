"""`lineside database`: from the database in the root to one that several control planes can share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from lineside.cli.connection import DEFAULT_ROOT
from lineside.cli.extras import need_extra
from lineside.cli.options import Json
from lineside.cli.output import Output
from lineside.contract.errors import ErrorReport, LinesideError

app = typer.Typer(name="database", help="The control plane's database.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """The control plane's database."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied: rows by table."""

    tables: dict[str, int]


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    table: str = ""
    rows: int = 0
    error: ErrorReport | None = None


@app.command("copy")
def copy(
    to: Annotated[
        str,
        typer.Option("--to", envvar="LINESIDE_COPY_TO", help="postgresql+psycopg://USER@HOST/NAME, an empty database."),
    ],
    root: Annotated[
        Path, typer.Option("--root", envvar="LINESIDE_ROOT", help="The root; its control plane is stopped.")
    ] = DEFAULT_ROOT,
    json: Json = False,
) -> None:
    """Copy the root's SQLite database, and its signed metadata, to PostgreSQL. The root stays as it is."""
    out = Output(json)
    with out.explaining():
        need_extra("server")
        out.show(_copied(root.expanduser().resolve(), to), _table)


def _copied(root: Path, url: str) -> Copied:
    """The URL goes by the environment, where other users cannot read its password."""
    program = [sys.executable, "-m", "lineside.server.database.copying", str(root)]
    environment = os.environ | {"LINESIDE_COPY_TO": url}
    done = subprocess.run(program, env=environment, stdout=subprocess.PIPE, check=False)
    lines = [msgspec.json.decode(line, type=_Line) for line in done.stdout.splitlines()]
    error = next((line.error for line in lines if line.error is not None), None)
    if error is not None:
        raise LinesideError(error.code, **error.params)
    if done.returncode:
        raise LinesideError("start.failed", why=f"the copy ended with status {done.returncode}", log="standard error")
    return Copied(tables={line.table: line.rows for line in lines})


def _table(copied: Copied) -> Table:
    table = Table("Table", "Rows")
    for name, rows in copied.tables.items():
        if rows:
            table.add_row(name, str(rows))
    return table
