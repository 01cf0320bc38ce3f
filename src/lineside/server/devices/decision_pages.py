"""What people decide about devices, on pages: accept, quarantine, revoke; join tokens and preauthorised keys.

A refusal is shown in the frame of every page, with its next step.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.device import AcceptRequest, JoinToken, JoinTokenRequest, Preauthorisation
from lineside.contract.people import Permission
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.devices.joining import Joining
from lineside.server.devices.standing import Standing
from lineside.server.web.render import AnyRequest, Page, page, see


class WhyForm(msgspec.Struct, frozen=True, kw_only=True):
    """Why."""

    why: str = ""


class TokenForm(msgspec.Struct, frozen=True, kw_only=True):
    """A join token."""

    group: str = "default"
    uses: int = 1
    hours: int = 1
    twin: bool = False


_SHOWN = 100  # keys on a page
_OPERATE = needs(Permission.OPERATE)


@post("/devices/{name:str}/accept", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def accept_on_page(
    name: FromPath[str], data: URLEncodedBody[AcceptRequest], standing: NamedDependency[Standing]
) -> Redirect:
    """Accept the device with the key that the page showed."""
    standing.accept(name, data)
    return see(f"/devices/{name}")


@post("/devices/{name:str}/quarantine", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def quarantine_on_page(
    name: FromPath[str], data: URLEncodedBody[WhyForm], standing: NamedDependency[Standing]
) -> Redirect:
    """Quarantine it."""
    standing.quarantine(name, data.why)
    return see(f"/devices/{name}")


@post("/devices/{name:str}/revoke", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def revoke_on_page(name: FromPath[str], data: URLEncodedBody[WhyForm], standing: NamedDependency[Standing]) -> Redirect:
    """Revoke it, or turn it away while it is pending."""
    standing.revoke(name, data.why)
    return see("/devices")


@get("/joining", sync_to_thread=True, include_in_schema=False)
def joining_page(
    request: AnyRequest,
    standing: NamedDependency[Standing],
    join_tokens: NamedDependency[JoinTokens],
    database: NamedDependency[Database],
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
) -> Page:
    """Who may join: tokens that are open, and keys that need none, a hundred at a time."""
    return _joining(request, standing, join_tokens, database, offset=offset)


@post("/joining/tokens", sync_to_thread=True, status_code=200, include_in_schema=False, opt=_OPERATE)
def token_on_page(
    request: AnyRequest,
    data: URLEncodedBody[TokenForm],
    joining: NamedDependency[Joining],
    standing: NamedDependency[Standing],
    join_tokens: NamedDependency[JoinTokens],
    database: NamedDependency[Database],
) -> Page:
    """Make a join token; this answer shows it, and nothing does again."""
    wanted = JoinTokenRequest(group=data.group, uses=data.uses, ttl_seconds=data.hours * 3600, twin=data.twin)
    made = joining.create_token(wanted)
    return _joining(request, standing, join_tokens, database, made)


@post("/joining/tokens/{token:str}/revoke", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def revoke_token_on_page(
    token: FromPath[str], join_tokens: NamedDependency[JoinTokens], database: NamedDependency[Database]
) -> Redirect:
    """Take a join token back."""
    with database.write() as session:
        join_tokens.revoke(session, token)
    return see("/joining")


@post("/joining/preauthorised", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def preauthorise_on_page(data: URLEncodedBody[Preauthorisation], standing: NamedDependency[Standing]) -> Redirect:
    """Let a key join without a token."""
    standing.preauthorise(data)
    return see("/joining")


@post("/joining/preauthorised/{fingerprint:str}/remove", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def remove_on_page(fingerprint: FromPath[str], standing: NamedDependency[Standing]) -> Redirect:
    """A key may not join without a token any more."""
    standing.withdraw(fingerprint)
    return see("/joining")


def _joining(
    request: AnyRequest,
    standing: Standing,
    join_tokens: JoinTokens,
    database: Database,
    made: JoinToken | None = None,
    *,
    offset: int = 0,
) -> Page:
    with database.read() as session:
        tokens = join_tokens.open(session)
    keys = standing.preauthorised(offset, _SHOWN)
    return page(request, "devices/joining.html", here="/devices", tokens=tokens, found=keys, limit=_SHOWN, made=made)


routes = [
    accept_on_page,
    quarantine_on_page,
    revoke_on_page,
    joining_page,
    token_on_page,
    revoke_token_on_page,
    preauthorise_on_page,
    remove_on_page,
]
