"""`lineside tokens`: API tokens, what programs show in place of a person's password."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, rows, when
from lineside.contract.people import ApiToken, MadeToken, NewToken, Permission

app = typer.Typer(name="tokens", help="API tokens of people.", no_args_is_help=True)


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List your API tokens; an admin sees everybody's."""
    with session(url, root, json) as (client, out):
        out.show(client.tokens(), _table)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    may: Annotated[list[Permission], typer.Option("--may", help="What it may do; may be given more than once.")],
    days: Annotated[float, typer.Option("--days", min=0.001, help="Days until it expires.")] = 90,
    user: Annotated[str | None, typer.Option("--user", help="For somebody else (admins).")] = None,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Make an API token. It is shown this once."""
    request = NewToken(name=name, permissions=tuple(may), ttl_seconds=round(days * 86400), user=user)
    with session(url, root, json) as (client, out):
        made = client.create_token(request)
        out.show(made, _made, copied=made.token)


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Id of a token, as `lineside tokens list` shows it.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Take an API token back: it is good no more."""
    with session(url, root, json) as (client, out):
        out.show(client.revoke_token(token), lambda gone: details((("revoked", gone.name), ("of", gone.user))))


def _table(tokens: Sequence[ApiToken]) -> RenderableType:
    lines = ((t.id, t.name, t.user, _can(t), when(t.created_at), when(t.expires_at), when(t.used_at)) for t in tokens)
    headings = ("id", "for", "of", "may", "made", "expires", "last used")
    return rows(headings, lines, "No API token. Make one: lineside tokens create NAME --may read")


def _made(made: MadeToken) -> RenderableType:
    return details(
        (
            ("for", made.about.name),
            ("of", made.about.user),
            ("may", _can(made.about)),
            ("until", when(made.about.expires_at)),
            ("use it", "LINESIDE_TOKEN=… lineside …, or Authorization: Bearer …"),
        )
    )


def _can(token: ApiToken) -> str:
    return ", ".join(permission.value for permission in token.permissions)
