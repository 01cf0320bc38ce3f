"""Who asks: found once for every request, before anything else looks at it.

A program shows a token (`Authorization: Bearer TOKEN`, RFC 6750), a browser its session's cookie. A request with a
token is judged by the token alone. Which tokens and sessions are good is the doorkeeper's to say, and what each caller
may do is the guard's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from lineside.server.access.caller import Caller, acting
from lineside.server.access.cookies import cookie_name
from lineside.server.house import house_of


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a request shows of who sends it: a token, else a session, else nothing."""

    token: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)  # the cookie's value
    source: str = ""  # the address it comes from


class Doorkeeper(Protocol):
    """Knows callers by what they show."""

    async def who(self, shown: Credentials) -> Caller | None:
        """Whose token or session this is; None when it is nobody's (any more). Does not block the event loop."""
        ...


class Authenticate(ASGIMiddleware):
    """Lets everything within a request of people's API know its caller (`caller.current()`), who may be a stranger."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        shown = shown_by(ASGIConnection(scope))
        found = await house_of(scope).doorkeeper.who(shown)
        with acting(replace(found, source=shown.source) if found else stranger(shown.source)):
            await next_app(scope, receive, send)


class FromOutside(ASGIMiddleware):
    """Devices' API: until its guard has seen a device's token, a request is a stranger's, never the control plane's."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        with acting(stranger(source_of(scope))):
            await next_app(scope, receive, send)


def stranger(source: str) -> Caller:
    """Somebody at an address, of whom nothing else is known. May do nothing."""
    return Caller(name="somebody", by="nobody", source=source)


def source_of(scope: Scope) -> str:
    """The address a request comes from; a header that claims another is not believed."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def shown_by(connection: ASGIConnection[Any, Any, Any, Any]) -> Credentials:
    """What a request shows."""
    source = source_of(connection.scope)
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        return Credentials(token=token.strip() if scheme.lower() == "bearer" else "", source=source)
    return Credentials(session=connection.cookies.get(cookie_name(connection.scope["scheme"])) or None, source=source)
