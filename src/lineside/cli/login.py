"""`lineside login`, `logout` and `whoami`: as whom commands ask a control plane on another machine."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import msgspec
import typer
from rich.console import RenderableType

from lineside.cli import saved
from lineside.cli.connection import find_url
from lineside.cli.options import Json, Root, Url
from lineside.cli.output import Output, session
from lineside.cli.table import details, when
from lineside.cli.typed import typed, typed_twice
from lineside.client import Client
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.people import Login, SignedIn, UseLink, WhoAmI


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What `lineside login` did."""

    url: str
    who: WhoAmI
    expires_at: str | None  # None: it depends on the token that was given
    file: str


def login(
    address: Annotated[
        str | None, typer.Argument(metavar="[URL]", help="The control plane's address, or a one-time link of it.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Who you are; asked for when it is left out.")] = None,
    token: Annotated[bool, typer.Option("--token", help="Read an API token from standard input instead.")] = False,
    ca: Annotated[
        Path | None, typer.Option("--ca", help="PEM file of the CA that its certificate must come from.")
    ] = None,
    json: Json = False,
) -> None:
    """Sign in, and keep an API token for the commands that follow. A one-time link lets you choose a password first.

    What is asked for is read unseen from the terminal, or line by line from standard input.
    """
    out = Output(json)
    with out.explaining():
        url, link = _address(address)
        pem = _read(ca) if ca else None
        kept = _with_token(url, pem) if token else _with_password(url, pem, link, name)
        out.show(kept, _kept)


def logout(
    address: Annotated[str | None, typer.Argument(metavar="[URL]", help="The control plane's address.")] = None,
    json: Json = False,
) -> None:
    """Forget the API token that `lineside login` keeps; one that it made for itself is revoked, too."""
    out = Output(json)
    with out.explaining():
        url, _ = _address(address)
        found = saved.find(url)
        if found is None:
            raise LinesideError("login.none_kept", url=url)
        saved.forget(url)
        if found.made:
            _revoke(url, found)
        out.show({"url": url}, lambda _: details((("signed out", url),)))


def whoami(url: Url = None, root: Root = None, json: Json = False) -> None:
    """Show who the control plane takes you for, and what you may do."""
    with session(url, root, json) as (client, out):
        out.show(client.whoami(), who_view)


def who_view(who: WhoAmI) -> RenderableType:
    """Somebody, their roles and what they may do."""
    how = {"session": "by a session", "token": "by an API token", "local": "by this machine's own key"}
    return details(
        (
            ("name", who.name),
            ("known", how.get(who.by, who.by)),
            ("roles", ", ".join(role.value for role in who.roles)),
            ("may", ", ".join(permission.value for permission in who.permissions)),
        )
    )


def _with_password(url: str, ca: str | None, link: str | None, name: str | None) -> Kept:
    client = Client(url, None, ca)
    label = f"lineside on {_host()}"
    if link is not None:
        answer = client.use_link(UseLink(link=link, password=typed_twice("Choose a password"), token=label))
    else:
        name = name or _name()
        answer = client.login(Login(name=name, password=typed(f"Password of {name}"), token=label))
    return _keep(url, ca, answer)


def _with_token(url: str, ca: str | None) -> Kept:
    text = typed("API token").strip()
    who = Client(url, text, ca).whoami()
    file = saved.keep(url, saved.Saved(token=text, ca=ca))
    return Kept(url=url, who=who, expires_at=None, file=str(file))


def _keep(url: str, ca: str | None, answer: SignedIn) -> Kept:
    before = saved.find(url)
    file = saved.keep(url, saved.Saved(token=answer.token, made=True, ca=ca))
    if before is not None and before.made:
        _revoke(url, before)
    return Kept(url=url, who=answer.who, expires_at=answer.expires_at, file=str(file))


def _revoke(url: str, old: saved.Saved) -> None:
    try:
        Client(url, old.token, old.ca).logout()
    except LinesideError as error:
        if error.kind is not Kind.UNAUTHENTICATED:  # else it was good no more anyway
            raise


def _kept(kept: Kept) -> RenderableType:
    return details(
        (
            ("signed in", kept.who.name),
            ("at", kept.url),
            ("may", ", ".join(permission.value for permission in kept.who.permissions)),
            ("until", when(kept.expires_at)),
            ("kept in", kept.file),
        )
    )


def _address(address: str | None) -> tuple[str, str | None]:
    """The control plane, and the secret of a one-time link when the address is one."""
    if address is None:
        return find_url(None, None), None
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise LinesideError("login.bad_address", url=address)
    link = parse_qs(parts.query).get("token") if parts.path == "/welcome" else None
    return f"{parts.scheme}://{parts.netloc}", link[0] if link else None


def _name() -> str:
    return str(typer.prompt("Name", err=True)) if sys.stdin.isatty() else sys.stdin.readline().strip()


def _host() -> str:
    return platform.node()[:48] or "a machine"


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise LinesideError("cli.file_unreadable", file=file, why=error) from error
