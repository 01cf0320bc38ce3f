"""The only place that knows every room: it wires them into two ASGI applications, for people and for devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.types import ControllerRouterHandler

import lineside
from lineside.server import errors
from lineside.server.access.room import room as access
from lineside.server.services import Core, Loop, Room

ROOMS: tuple[Callable[[Core], Room], ...] = (
    access,
)  # fmt: skip


@dataclass(frozen=True)
class Apps:
    """The two applications, and what runs beside them."""

    people: Litestar
    devices: Litestar
    loops: tuple[Loop, ...]
    on_result: Callable[[str, bytes], None]


def build(core: Core) -> Apps:
    """Open every room on `core` and wire it."""
    rooms = [open_room(core) for open_room in ROOMS]
    return Apps(
        people=_people(core, rooms),
        devices=_devices(core, rooms),
        loops=tuple(loop for room in rooms for loop in room.loops),
        on_result=_fan_out([room.on_result for room in rooms if room.on_result]),
    )


def _people(core: Core, rooms: Sequence[Room]) -> Litestar:
    api = Router("/api/v1", route_handlers=[handler for room in rooms for handler in room.people])
    pages = [handler for room in rooms for handler in room.pages]
    return _litestar(core, rooms, [api, *pages], "Lineside: people's API")


def _devices(core: Core, rooms: Sequence[Room]) -> Litestar:
    api = Router("/device/v1", route_handlers=[handler for room in rooms for handler in room.devices])
    return _litestar(core, rooms, [api], "Lineside: devices' API")


def _litestar(core: Core, rooms: Sequence[Room], handlers: Sequence[ControllerRouterHandler], title: str) -> Litestar:
    return Litestar(
        handlers,
        dependencies=_dependencies(core, rooms),
        exception_handlers=errors.HANDLERS,
        openapi_config=OpenAPIConfig(title=title, version=lineside.__version__),
        request_max_body_size=core.settings.request_bytes,
        logging_config=None,
    )


def _dependencies(core: Core, rooms: Sequence[Room]) -> dict[str, Provide]:
    offered: dict[str, Any] = {"core": core, "database": core.database, "events": core.events, "objects": core.objects}
    for room in rooms:
        twice = offered.keys() & room.services.keys()
        if twice:
            raise ValueError(f"two rooms offer {sorted(twice)}")
        offered |= room.services
    return {name: _provide(value) for name, value in offered.items()}


def _provide(value: Any) -> Provide:
    def give() -> Any:
        return value

    return Provide(give, sync_to_thread=False, use_cache=True)


def _fan_out(receivers: Sequence[Callable[[str, bytes], None]]) -> Callable[[str, bytes], None]:
    def receive(device: str, payload: bytes) -> None:
        for receiver in receivers:
            receiver(device, payload)

    return receive
