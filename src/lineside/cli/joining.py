"""`lineside devices accept`, `quarantine`, `revoke`, and who may join: tokens and preauthorised keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import RenderableType

from lineside.cli.asking import Name
from lineside.cli.device_view import device_view
from lineside.cli.options import Json, Limit, Offset, Reason, Root, Url
from lineside.cli.output import session
from lineside.cli.table import details, rows, when
from lineside.contract.device import AcceptRequest, JoinToken, JoinTokenInfo, JoinTokenRequest, Preauthorisation

Fingerprint = Annotated[str, typer.Argument(metavar="FINGERPRINT", help="SHA-256 of a device's public key.")]
Group = Annotated[str, typer.Option("--group", help="Group the device lands in.")]


def accept(
    name: Name,
    fingerprint: Annotated[
        str, typer.Option("--fingerprint", help="Its key's fingerprint, as `lineside agent fingerprint` says on it.")
    ],
    group: Group = "default",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Let a pending or quarantined device take part."""
    with session(url, root, json) as (client, out):
        out.show(client.accept_device(name, AcceptRequest(fingerprint=fingerprint, group=group)), device_view)


def quarantine(name: Name, why: Reason = "", url: Url = None, root: Root = None, json: Json = False) -> None:
    """Let a device report, and install nothing."""
    with session(url, root, json) as (client, out):
        out.show(client.quarantine_device(name, why=why), device_view)


def revoke(name: Name, why: Reason = "", url: Url = None, root: Root = None, json: Json = False) -> None:
    """Take a device's leave to take part away, for good; turn a pending one away."""
    with session(url, root, json) as (client, out):
        out.show(client.revoke_device(name, why=why), device_view)


def token(
    group: Annotated[str, typer.Option("--group", help="Group the devices land in.")] = "default",
    uses: Annotated[int, typer.Option("--uses", min=1, help="How many devices may join with it.")] = 1,
    ttl: Annotated[int, typer.Option("--ttl", min=1, help="Seconds until it expires.")] = 3600,
    twin: Annotated[bool, typer.Option("--twin", help="For a twin, a device that models are tried on.")] = False,
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Make a join token and show the command that joins a device with it."""
    request = JoinTokenRequest(group=group, uses=uses, ttl_seconds=ttl, twin=twin)
    with session(url, root, json) as (client, out):
        out.show(client.create_join_token(request), _token)


def tokens(url: Url = None, root: Root = None, json: Json = False) -> None:
    """List join tokens that still open the door."""
    with session(url, root, json) as (client, out):
        out.show(client.join_tokens(), _tokens)


def revoke_token(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `lineside devices tokens` shows it.")],
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Take a join token back."""
    with session(url, root, json) as (client, out):
        out.show(client.revoke_join_token(id), lambda one: _tokens([one]))


def preauthorise(
    fingerprint: Fingerprint,
    name: Annotated[str, typer.Option("--name", help="The name it joins under.")],
    group: Group = "default",
    url: Url = None,
    root: Root = None,
    json: Json = False,
) -> None:
    """Let a device with this key join without a token, once."""
    request = Preauthorisation(fingerprint=fingerprint, name=name, group=group)
    with session(url, root, json) as (client, out):
        out.show(client.preauthorise(request), lambda one: _keys([one]))


def preauthorised(
    offset: Offset = 0, limit: Limit = 100, url: Url = None, root: Root = None, json: Json = False
) -> None:
    """List keys that may join without a token, by name, a page at a time."""
    with session(url, root, json) as (client, out):
        found = client.preauthorised(offset=offset, limit=limit)
        out.show(found, lambda page: _keys(page.keys))
        more = found.offset + len(found.keys)
        out.follows(found.total, f"The following: --offset {more}" if more < found.total else "")


def unpreauthorise(fingerprint: Fingerprint, url: Url = None, root: Root = None, json: Json = False) -> None:
    """A key may not join without a token any more."""
    with session(url, root, json) as (client, out):
        out.show(client.remove_preauthorised(fingerprint), lambda one: _keys([one]))


def _token(token: JoinToken) -> RenderableType:
    twin = " --twin" if token.twin else ""
    command = f"lineside agent join {token.url} --token {token.token} --ca-sha256 {token.ca_sha256} --root DIR{twin}"
    return details(
        (
            ("group", token.group),
            ("uses", token.uses),
            ("expires", when(token.expires_at)),
            ("join with", command),
        )
    )


def _tokens(found: Sequence[JoinTokenInfo]) -> RenderableType:
    lines = (
        (one.id, one.group, f"{one.used} of {one.uses}", "twins" if one.twin else "devices", when(one.expires_at))
        for one in found
    )
    return rows(("id", "group", "used", "for", "expires"), lines, "None is open. Make one: lineside devices token")


def _keys(found: Sequence[Preauthorisation]) -> RenderableType:
    lines = ((one.name, one.group, one.fingerprint, when(one.created_at)) for one in found)
    return rows(("name", "group", "key", "since"), lines, "None. See lineside agent fingerprint, on a device.")
