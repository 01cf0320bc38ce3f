"""Keeps other web sites from acting through a signed-in person's browser (CSRF), and from reading over its shoulder.

A page of another site that is open in the same browser may send requests here, and the browser adds the session's
cookie. What stops it, without a secret in each form (which pages that refresh themselves would have to keep fresh):

- The Host header must name this control plane (against DNS rebinding: a foreign name that suddenly points here). A bare
  address needs no DNS, so any is good once other machines may come.
- A request that changes something must come from one of our own pages: browsers say so in Sec-Fetch-Site (Fetch
  metadata; every browser since 2023), and in Origin with everything but GET and HEAD (every browser since 2020).
  Scripts of another site can set neither. Another port of this host is another site too.
- With a session's cookie one of the two must be there: what sends cookies is a browser, and a browser says one.
- With a session's cookie other sites may link to a page, but neither embed what is here nor fetch it.

A token (`Authorization: Bearer`) is never added by a browser of itself. The cookie is `SameSite=Lax` besides, and forms
are kept to this origin by the pages' Content-Security-Policy.
"""

from __future__ import annotations

import ipaddress
import re

from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from lineside.contract.errors import LinesideError
from lineside.server.access.caller import current
from lineside.server.house import house_of

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OWN = frozenset({"same-origin", "none"})


class SameSiteOnly(ASGIMiddleware):
    """Refuses with `request.cross_site`. Stands inside `Authenticate`, for it looks at how the caller is known."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        headers, method = Headers.from_scope(scope), str(scope.get("method", "GET"))
        if why := house_of(scope).same_site.refusal(method, str(scope["scheme"]), headers):
            raise LinesideError("request.cross_site", why=why)
        await next_app(scope, receive, send)


class SameSite:
    """Which names are this control plane's, and what follows from that."""

    def __init__(self, hosts: frozenset[str], everywhere: bool = False) -> None:
        """`hosts` are names beside loopback's, `*.` for any one label; `everywhere`: any address is good too."""
        self._hosts, self._everywhere = _LOOPBACK | hosts, everywhere

    def refusal(self, method: str, scheme: str, headers: Headers) -> str | None:
        """Why the request is refused; None when it is not."""
        host = headers.get("host", "")
        if not self._is_ours(_name_of(host)):
            return f"Host {host[:80]}"
        site, origin, by_cookie = headers.get("sec-fetch-site"), headers.get("origin"), current().by == "session"
        foreign = site is not None and site not in _OWN
        if method in _SAFE:
            embedded = by_cookie and foreign and headers.get("sec-fetch-mode", "navigate") != "navigate"
            return f"Sec-Fetch-Site {str(site)[:20]}" if embedded else None
        if foreign:
            return f"Sec-Fetch-Site {str(site)[:20]}"
        if origin is not None and origin != f"{scheme}://{host}":
            return f"Origin {origin[:80]}"
        return "neither Origin nor Sec-Fetch-Site" if by_cookie and site is None and origin is None else None

    def _is_ours(self, name: str | None) -> bool:
        if name is None:
            return False
        if name in self._hosts or f"*.{name.partition('.')[2]}" in self._hosts:
            return True
        return self._everywhere and _is_address(name)


def _name_of(host: str) -> str | None:
    """The Host header without its port (RFC 9110, section 7.2); None when it is not one."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:@/]+))(?::\d*)?", host)
    return (found[1] or found[2]).lower() if found else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
