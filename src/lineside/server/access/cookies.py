"""The cookie of a session: out of reach of scripts, of requests that start on other sites, and of other hosts."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

COOKIE = "lineside_session"


def cookie_name(scheme: str) -> str:
    """Its name. Over TLS it has the prefix `__Host-` (RFC 6265bis, section 4.1.3.2): a browser then takes it only from
    this very host and over TLS, so that neither a host beside this one nor somebody on the wire can plant a session."""
    return f"__Host-{COOKIE}" if scheme == "https" else COOKIE


def session_cookie(request: Request[Any, Any, Any], value: str, max_age: int) -> Cookie:
    """The cookie that a signed-in browser shows for `max_age` seconds."""
    scheme = request.scope["scheme"]
    return Cookie(
        key=cookie_name(scheme),
        value=value,
        max_age=max_age,
        path="/",
        secure=scheme == "https",
        httponly=True,
        samesite="lax",  # strict would sign people out whenever they follow a link from a mail or a ticket
    )


def no_session_cookie(request: Request[Any, Any, Any]) -> Cookie:
    """Makes the browser forget it."""
    return session_cookie(request, "", 0)
