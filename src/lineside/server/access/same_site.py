"""Keeps other web sites away from the people's API, which has no password because it is on a loopback address.

A page of another site that is open in the same browser may send requests here. Two checks stop it: the Host header must
name this machine's loopback (against DNS rebinding), and a request that changes something must not come from another
origin (Fetch metadata, and the Origin header for clients without it).
"""

from __future__ import annotations

import re

from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from lineside.contract.errors import LinesideError

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OWN = frozenset({"same-origin", "none"})


class SameSite(ASGIMiddleware):
    """Refuses with `request.cross_site`. A `host` other than loopback may be named too: its owner chose to open it."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, host: str) -> None:
        self._any_host = host in ("0.0.0.0", "::")
        self._hosts = _LOOPBACK | {host}

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        headers, method = Headers.from_scope(scope), str(scope.get("method", "GET"))
        if why := self._refusal(method, headers):
            raise LinesideError("request.cross_site", why=why)
        await next_app(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if not self._any_host and _name_of(host) not in self._hosts:
            return f"Host {host[:80]}"
        if method in _SAFE:
            return None
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None and site not in _OWN:
            return f"Sec-Fetch-Site {site[:20]}"
        if origin is not None and origin.partition("://")[2] != host:
            return f"Origin {origin[:80]}"
        return None


def _name_of(host: str) -> str | None:
    """The Host header without its port (RFC 9110, section 7.2); None when it is not one."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:@/]+))(?::\d*)?", host)
    return (found[1] or found[2]).lower() if found else None
