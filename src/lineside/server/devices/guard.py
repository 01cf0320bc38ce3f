"""The door of the devices' API: every route needs a valid access token of an accepted device, unless it is public."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from lineside.contract.errors import LinesideError
from lineside.server.access.caller import Caller, become, current
from lineside.server.devices.proving import Proving
from lineside.server.house import house_of

PUBLIC = {"public": True}
"""`opt=PUBLIC` on a handler: no token needed."""
QUARANTINED = {"quarantined": True}
"""`opt=QUARANTINED` on a handler: a quarantined device may come in too, since nothing new comes out."""


async def accepted_device(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard that puts the caller's name where `caller` finds it.

    It raises `auth.token_missing`, and what `Proving.authenticate` raises.
    """
    if handler.opt.get("public"):
        return
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise LinesideError("auth.token_missing")
    quarantined = bool(handler.opt.get("quarantined"))
    proving: Proving = house_of(connection.scope).services["proving"]
    name = await asyncio.to_thread(proving.authenticate, token.strip(), quarantined=quarantined)
    connection.state.caller = name
    become(Caller(name=name, by="device", source=current().source))


async def caller(request: Request[Any, Any, Any]) -> str:
    """Name of the device that calls, for handlers: `caller: NamedDependency[str]`."""
    name: str = request.state.caller
    return name
