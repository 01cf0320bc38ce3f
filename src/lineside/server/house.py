"""The control plane a request is served by. The web applications are the same for all: what is theirs comes with each
request, so that routes and signatures, which take half a second, are read once in a process.

    uvicorn ► Housed ► Litestar ► handler(devices: NamedDependency[Devices])
                └ scope[HOUSE] = House(services={"devices": …})
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from litestar.di import Provide
from litestar.types import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    from lineside.server.access.authentication import Doorkeeper
    from lineside.server.access.same_site import SameSite

HOUSE = "lineside"


@dataclass(frozen=True, kw_only=True)
class House:
    """What belongs to one control plane: services by name, and who may come in."""

    services: Mapping[str, Any]
    doorkeeper: Doorkeeper
    same_site: SameSite


class Housed:
    """An application as one control plane serves it; `at_end` is awaited before its server has ended."""

    def __init__(self, app: ASGIApp, house: House, at_end: Callable[[], Awaitable[None]] | None = None) -> None:
        self._app, self._house, self._at_end = app, house, at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) == "lifespan":  # the application's own may be under way for another control plane
            await self._live(cast("Any", receive), cast("Any", send))
            return
        cast("dict[str, Any]", scope)[HOUSE] = self._house
        await self._app(scope, receive, send)

    async def _live(
        self, receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._at_end is not None:
            await self._at_end()
        await send({"type": "lifespan.shutdown.complete"})


def house_of(scope: Scope) -> House:
    """Whose request this is."""
    house: House = cast("dict[str, Any]", scope)[HOUSE]
    return house


class _Service(Provide):
    """Equal to itself alone: Litestar compares every service with every other, for each route."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


def service(name: str) -> Provide:
    """A dependency: the service of this name, of the control plane whose request it is."""

    def give(scope: Scope) -> Any:
        return house_of(scope).services[name]

    return _Service(give, sync_to_thread=False)
