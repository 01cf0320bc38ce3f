"""The door of people's API and pages: every route says what it needs, and only who may do that gets further."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from lineside.contract.errors import LinesideError
from lineside.server.access.caller import current
from lineside.server.access.permissions import needed


async def permitted(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard. Raises `auth.login_needed` or `auth.credential_refused` for a stranger, and `auth.forbidden`."""
    wanted = needed(handler.opt, frozenset({str(connection.scope.get("method", ""))}))
    if wanted is None:
        raise RuntimeError(f"{handler} does not say what it needs")  # `all_decided` should have found it
    if not wanted:
        return
    caller = current()
    if caller.by == "nobody":
        raise LinesideError("auth.credential_refused" if "authorization" in connection.headers else "auth.login_needed")
    caller.check(*wanted)


def all_decided(app: Litestar) -> None:
    """Raises ValueError when a route that changes something does not say what it needs, or cannot be guarded."""
    undecided = [found for route in app.routes for found in _undecided(route)]
    if undecided:
        raise ValueError(f"no permission is named for {undecided}: say it with opt=needs(…)")


def _undecided(route: BaseRoute) -> Iterator[str]:
    if not isinstance(route, HTTPRoute):
        yield f"{route.path} (not plain HTTP)"
        return
    for handler in route.route_handlers:
        methods = frozenset(str(method) for method in handler.http_methods)
        if needed(handler.opt, methods) is None:
            yield f"{' '.join(sorted(methods))} {route.path}"
