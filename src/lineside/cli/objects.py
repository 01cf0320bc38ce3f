"""`lineside objects`: from files in the root to a bucket that several control planes can share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from lineside.cli.connection import DEFAULT_ROOT
from lineside.cli.extras import need_extra
from lineside.cli.options import Json
from lineside.cli.output import Output
from lineside.contract.counted import counted
from lineside.contract.errors import ErrorReport, LinesideError

app = typer.Typer(name="objects", help="Where images, models and artifacts are kept.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Where images, models and artifacts are kept."""


class CopiedObjects(msgspec.Struct, frozen=True, kw_only=True):
    """How many objects were copied and were there already, the bytes copied, and files that are not what they say."""

    copied: int = 0
    there: int = 0
    bytes: int = 0
    damaged: tuple[str, ...] = ()


class _Answer(CopiedObjects, frozen=True, kw_only=True):
    error: ErrorReport | None = None


@app.command("copy")
def copy(
    to: Annotated[str, typer.Option("--to", help="s3://BUCKET/PREFIX?endpoint=URL&region=NAME; keys by environment.")],
    root: Annotated[Path, typer.Option("--root", envvar="LINESIDE_ROOT", help="The root.")] = DEFAULT_ROOT,
    json: Json = False,
) -> None:
    """Copy the root's objects into a bucket, checking each; what is there already is left. The root stays as it is."""
    out = Output(json)
    with out.explaining():
        need_extra("server")
        done = _copied(root.expanduser().resolve(), to)
        out.show(done, _sentence)
        if done.damaged:
            raise typer.Exit(3)


def _copied(root: Path, url: str) -> CopiedObjects:
    program = [sys.executable, "-m", "lineside.server.object_copying", str(root), url]
    done = subprocess.run(program, stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        raise LinesideError("start.failed", why=f"the copy ended with status {done.returncode}", log="standard error")
    answer = msgspec.json.decode(done.stdout, type=_Answer)
    if answer.error is not None:
        raise LinesideError(answer.error.code, **answer.error.params)
    return msgspec.convert(answer, CopiedObjects, from_attributes=True)


def _sentence(done: CopiedObjects) -> str:
    said = (
        f"{counted(done.copied, 'object')} ({done.bytes / (1 << 20):.1f} MiB) copied, {done.there} were there already"
    )
    if done.damaged:
        files = "\n".join(done.damaged)
        return f"{said}.\nThese files are not what their names say, and were left out:\n{files}"
    return said
