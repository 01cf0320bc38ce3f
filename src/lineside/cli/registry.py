"""`lineside models alias`, `aliases`, `card` and `retire`: what people keep about model versions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.markdown import Markdown
from rich.text import Text

from lineside.cli.model_view import model_details
from lineside.cli.options import Json, Model, Reason, Root, Url, which
from lineside.cli.output import session
from lineside.cli.table import rows, when
from lineside.contract.errors import LinesideError
from lineside.contract.model import Decision
from lineside.contract.registry import Alias, AliasMove, CardEdit, EditCard, ModelCard, PointAlias, RemoveAlias


def alias(
    name: Annotated[str, typer.Argument(metavar="NAME@ALIAS", help="The alias, like metal-tags@production.")],
    version: Annotated[int | None, typer.Argument(help="The version it is to point at.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take it away.")] = False,
    expected: Annotated[
        int | None,
        typer.Option("--expected", help="Only if it points there now; 0: only if it is not there."),
    ] = None,
    reason: Reason = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Point an alias at a model version, or take it away."""
    model, at, word = name.partition("@")
    if not at or not model or not word:
        raise typer.BadParameter(f"{name!r} is not NAME@ALIAS, like metal-tags@production")
    if (version is None) == (not remove):
        raise typer.BadParameter("give a version, or --remove")
    with session(url, root, json) as (client, out):
        if version is None:
            out.show(client.remove_alias(model, word, RemoveAlias(expected=expected, reason=reason)), _was)
        else:
            request = PointAlias(version=version, expected=expected, reason=reason)
            out.show(client.point_alias(model, word, request), lambda one: _aliases([one]))


def aliases(
    name: Annotated[str, typer.Argument(help="Name of a model.")],
    history: Annotated[str | None, typer.Option("--history", metavar="ALIAS", help="Where this one pointed.")] = None,
    before: Annotated[int | None, typer.Option("--before", help="Only moves before this mark.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many moves.")] = 100,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """List the aliases of a model, or the moves of one of them, newest first."""
    with session(url, root, json) as (client, out):
        if history is None:
            out.show(client.aliases(name), _aliases)
        else:
            found = client.alias_history(name, history, before=before, limit=limit)
            out.show(found, lambda page: _moves(page.moves))
            out.follows(found.total, "" if found.next is None else f"Older ones: --before {found.next}")


def card(
    model: Model,
    notes: Annotated[
        Path | None, typer.Option("--notes", help="Write this file (Markdown; - reads standard input) as its notes.")
    ] = None,
    revision: Annotated[
        int | None, typer.Option("--revision", help="Only if its notes are at this revision now.")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="The revisions of its notes, newest first.")] = False,
    before: Annotated[int | None, typer.Option("--before", help="Only revisions before this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="At most so many revisions.")] = 20,
    reason: Reason = "",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show the card of a model version, or write its notes."""
    with session(url, root, json) as (client, out):
        meant = which(client, model)
        if history:
            found = client.card_history(*meant, before=before, limit=limit)
            out.show(found, lambda page: _edits(page.edits))
            out.follows(found.total, "" if found.next is None else f"Older ones: --before {found.next}")
            return
        if notes is not None:
            read = client.model_card(*meant).revision if revision is None else revision
            edit = EditCard(notes=_text(notes), revision=read, reason=reason)
            out.show(client.edit_card(*meant, edit), _card)
            return
        out.show(client.model_card(*meant), _card)


def retire(model: Model, reason: Reason = "", url: Url = None, root: Root = None, json: Json = False) -> None:
    """Put a version away for good that was gated out, failed on its twins or was rejected."""
    with session(url, root, json) as (client, out):
        out.show(client.retire_model(*which(client, model), Decision(reason=reason)), model_details)


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as why:
        raise LinesideError("cli.file_unreadable", file=file, why=why) from why


def _aliases(found: Sequence[Alias]) -> RenderableType:
    lines = (
        (
            f"{one.model}@{one.alias}",
            f"{one.model}:{one.version}",
            one.state.value.replace("_", " "),
            one.by,
            when(one.at),
            one.why if one.at else "follows by itself",
        )
        for one in found
    )
    return rows(("alias", "points at", "state", "by", "since", "why"), lines, "It has no aliases.")


def _was(one: Alias) -> RenderableType:
    return Text(f"{one.model}@{one.alias} is gone; it pointed at {one.model}:{one.version}.")


def _moves(found: Sequence[AliasMove]) -> RenderableType:
    lines = ((when(one.at), one.before, one.version, one.by, one.why) for one in found)
    return rows(("at", "from", "to", "by", "why"), lines, "Nobody ever set it.")


def _card(found: ModelCard) -> RenderableType:
    return Markdown(found.text)


def _edits(found: Sequence[CardEdit]) -> RenderableType:
    lines = ((one.revision, when(one.at), one.by, one.why, one.notes) for one in found)
    return rows(("revision", "at", "by", "why", "notes"), lines, "Nobody wrote notes yet.")
