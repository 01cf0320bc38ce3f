"""`lineside users`: who has access."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import RenderableType

from lineside.cli.options import Json, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, mark, rows, when
from lineside.cli.typed import typed, typed_twice
from lineside.contract.people import ChangePassword, NewUser, OneTimeLink, Role, User

app = typer.Typer(name="users", help="People who have access.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of a person.")]


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody new, and the link by which they choose their password."""

    user: User
    link: OneTimeLink


@app.command("list")
def list_(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List everybody who has access, with their roles."""
    with session(url, root, json) as (client, out):
        out.show(client.users(), _table)


@app.command()
def create(
    name: Name,
    role: Annotated[list[Role], typer.Option("--role", help="What they are; may be given more than once.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Give somebody access, and make the link by which they choose their password."""
    with session(url, root, json) as (client, out):
        user = client.create_user(NewUser(name=name, roles=tuple(role)))
        made = Created(user=user, link=client.link_user(name))
        out.show(made, lambda made: _link(made.link), copied=made.link.url)


@app.command()
def link(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Make a one-time link by which somebody chooses a password, the first or another one."""
    with session(url, root, json) as (client, out):
        made = client.link_user(name)
        out.show(made, _link, copied=made.url)


@app.command()
def roles(
    name: Name,
    role: Annotated[list[Role], typer.Argument(help="Everything they shall be.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Replace somebody's roles."""
    with session(url, root, json) as (client, out):
        out.show(client.set_roles(name, tuple(role)), _user)


@app.command()
def disable(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Shut somebody out at once: sessions end, tokens and links do nothing."""
    with session(url, root, json) as (client, out):
        out.show(client.disable_user(name), _user)


@app.command()
def enable(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Let somebody in again."""
    with session(url, root, json) as (client, out):
        out.show(client.enable_user(name), _user)


@app.command()
def remove(name: Name, url: Url = None, root: Root = None, json: Json = False) -> None:
    """Forget somebody with their sessions, tokens and links. The audit trail keeps what they did."""
    with session(url, root, json) as (client, out):
        out.show(client.remove_user(name), lambda user: details((("removed", user.name),)))


@app.command()
def password(url: Url = None, root: Root = None, json: Json = False) -> None:
    """Choose another password for yourself: the present one and the new one are read unseen."""
    with session(url, root, json) as (client, out):
        request = ChangePassword(current=typed("Present password"), new=typed_twice("New password"))
        client.change_password(request)
        out.show(client.whoami(), lambda who: details((("new password for", who.name),)))


def _table(users: Sequence[User]) -> RenderableType:
    lines = (
        (
            user.name,
            mark(user.enabled, "enabled" if user.enabled else "disabled"),
            _roles(user),
            user.issuer or ("a password" if user.password else "nothing yet"),
            when(user.signed_in_at),
        )
        for user in users
    )
    nobody = "Nobody yet. `lineside up` prints a link for the first admin."
    return rows(("name", "state", "roles", "signs in with", "last"), lines, nobody)


def _user(user: User) -> RenderableType:
    return details(
        (
            ("name", user.name),
            ("state", mark(user.enabled, "enabled" if user.enabled else "disabled")),
            ("roles", _roles(user)),
        )
    )


def _link(link: OneTimeLink) -> RenderableType:
    return details((("for", link.user), ("good once, until", when(link.expires_at))))


def _roles(user: User) -> str:
    return ", ".join(role.value for role in user.roles)
