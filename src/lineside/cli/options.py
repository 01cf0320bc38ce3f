"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from lineside.client import Client
from lineside.contract.errors import LinesideError
from lineside.contract.registry import Reference, read_reference

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]
Url = Annotated[str | None, typer.Option("--url", help="Address of the control plane [env: LINESIDE_URL].")]
Root = Annotated[
    Path | None, typer.Option("--root", help="Root of a control plane on this machine [env: LINESIDE_ROOT].")
]
RootSha = Annotated[
    str | None,
    typer.Option("--root-sha256", help="SHA-256 of the control plane's root, for a machine that sees it first."),
]
Offset = Annotated[int, typer.Option("--offset", min=0, help="Leave out so many first.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]
Yes = Annotated[bool, typer.Option("--yes", help="Sign without asking.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


class ModelRef(NamedTuple):
    """A model version as people write it, `name:version`."""

    name: str
    version: int


def model_ref(text: str | Reference) -> Reference:
    """`name:version` or `name@alias`; anything else is a usage error. `which` finds out the version."""
    if isinstance(text, Reference):
        return text
    try:
        found = read_reference(text)
    except LinesideError:
        found = None
    if found is None or (":" not in text and "@" not in text):
        raise typer.BadParameter(f"{text!r} is not NAME:VERSION, like metal-tags:1, nor NAME@ALIAS")
    return found


def which(client: Client, model: Reference) -> ModelRef:
    """The version that is meant now. Raises `request.not_found` for an alias that is not there."""
    if model.version is not None:
        return ModelRef(model.name, model.version)
    return ModelRef(model.name, client.find_model(f"{model.name}@{model.alias}").version)


Model = Annotated[
    Reference, typer.Argument(parser=model_ref, metavar="NAME:VERSION", help="A model version, or NAME@ALIAS.")
]


class ModelCommand(TyperCommand):
    """A command about a model version, which may also be said as components are: NAME VERSION."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`tags 1` is `tags:1` at the beginning of what follows the command."""
        if len(args) > 1 and args[0][:1] != "-" and not {":", "@"} & set(args[0]) and args[1].isdecimal():
            args = [f"{args[0]}:{args[1]}", *args[2:]]
        return super().parse_args(ctx, args)
