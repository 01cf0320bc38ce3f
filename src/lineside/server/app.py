"""The only place that knows every room: it wires them into two ASGI applications, for people and for devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import ASGIApp, ControllerRouterHandler, Guard, Middleware

from lineside.contract.errors import LinesideError
from lineside.contract.shapes import learn_shapes
from lineside.server import errors
from lineside.server.access.authentication import Authenticate, Doorkeeper, FromOutside
from lineside.server.access.guard import all_decided, permitted
from lineside.server.access.room import room as access
from lineside.server.access.same_site import SameSite, SameSiteOnly
from lineside.server.blobs.api import room as blobs
from lineside.server.broker_api import room as broker
from lineside.server.captures.room import room as captures
from lineside.server.components.room import room as components
from lineside.server.datasets.room import room as datasets
from lineside.server.deliveries.room import room as deliveries
from lineside.server.deployments.room import room as deployments
from lineside.server.devices.guard import accepted_device, caller
from lineside.server.devices.lane import FastLane
from lineside.server.devices.room import room as devices
from lineside.server.drift.room import room as drift
from lineside.server.groups.room import room as groups
from lineside.server.house import House, Housed, service
from lineside.server.learning.room import room as learning
from lineside.server.lineage.room import room as lineage
from lineside.server.loops.room import room as loops
from lineside.server.models.room import room as models
from lineside.server.overview.room import room as overview
from lineside.server.reference import describe_errors, device_reference, people_reference
from lineside.server.review.room import room as review
from lineside.server.rollouts import conflicts
from lineside.server.rollouts.followed import Followed
from lineside.server.rollouts.room import room as rollouts
from lineside.server.runs.room import room as runs
from lineside.server.secrets.room import room as secrets
from lineside.server.services import Core, Loop, Room
from lineside.server.telemetry.room import room as telemetry
from lineside.server.trust.room import room as trust
from lineside.server.twins.room import room as twins
from lineside.server.web.render import explained, refused
from lineside.server.webhooks.room import room as webhooks

ROOMS: tuple[Callable[[Core], Room], ...] = (
    access,
    trust,
    devices,
    groups,
    blobs,
    broker,
    datasets,
    runs,
    models,
    components,
    secrets,
    learning,
    deployments,
    rollouts,
    deliveries,
    twins,
    captures,
    review,
    telemetry,
    drift,
    webhooks,
    overview,
    lineage,
    loops,
)


@dataclass(frozen=True)
class Apps:
    """The two applications, how this control plane serves them, and what runs beside them."""

    people: Litestar
    devices: Litestar
    front: ASGIApp  # what is served to people
    door: ASGIApp  # what is served to devices: their application behind its fast lane
    services: Mapping[str, Any]
    loops: tuple[Loop, ...]
    on_result: Callable[[str, bytes], None]


class _Application(Litestar):
    """Litestar without pydantic, which it would import wherever it is installed: here every value is msgspec's."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


class _Router(Router):
    """Made for one application: Litestar would copy it, with its hundreds of routes, before it takes it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _Router:
        return self


_made: dict[tuple[tuple[Callable[[Core], Room], ...], frozenset[str], int], tuple[Litestar, Litestar]] = {}
"""The applications by rooms, services and bytes of a body: they hold nothing of a control plane, see `house`."""


def build(core: Core, doorkeeper: Doorkeeper, openers: Sequence[Callable[[Core], Room]] = ROOMS) -> Apps:
    """Open every room on `core` and wire it; `doorkeeper` knows who may come in at people's API and pages."""
    rooms = [open_room(core) for open_room in openers]
    services = _services(core, rooms)
    _connect(services)
    key = (tuple(openers), frozenset(services), core.settings.request_bytes)
    if key not in _made:
        _made[key] = _people(rooms, *key[1:]), _devices(rooms, *key[1:])
        learn_shapes()
    people, devices_app = _made[key]
    same_site = SameSite(core.addresses.people_hosts, core.addresses.everywhere)
    house, checkins = House(services=services, doorkeeper=doorkeeper, same_site=same_site), services["checkins"]
    return Apps(
        people=people,
        devices=devices_app,
        front=Housed(people, house),
        door=FastLane(Housed(devices_app, house, checkins.settle), checkins, core.settings.request_bytes),
        services=services,
        loops=tuple(loop for room in rooms for loop in room.loops),
        on_result=_fan_out([room.on_result for room in rooms if room.on_result]),
    )


def _connect(services: Mapping[str, Any]) -> None:
    """What happens across rooms that look one way only: the components room has models signed."""
    if "devices" in services and "rollouts" in services:
        services["devices"].conflicts = conflicts
    if "groups" in services and "rollouts" in services:
        services["groups"].deployed = Followed()
    if "field_sets" in services and "captures" in services:
        services["field_sets"].taken_at = services["captures"].taken_at
    if "rollouts" in services and "result_evidence" in services:
        services["rollouts"].evidence = services["result_evidence"]
    if "loops" in services and "field_signals" in services:
        services["loops"].signals = services["field_signals"]
    if "deliveries" in services and "approvals" in services:
        services["deliveries"].approvals = services["approvals"]
    if "approvals" in services:
        if "models" in services:
            services["models"].approver = services["approvals"]
        if "proposals" in services:
            services["approvals"].attend(services["proposals"])


def _people(rooms: Sequence[Room], services: Iterable[str], request_bytes: int) -> Litestar:
    api = _Router("/api/v1", route_handlers=[handler for room in rooms for handler in room.people])
    handlers = [handler for room in rooms for handler in room.pages]
    pages = _Router("/", route_handlers=handlers, exception_handlers={LinesideError: explained})
    middleware = [Authenticate(), SameSiteOnly()]
    handlers_of_errors = errors.HANDLERS | {HTTPException: refused}
    app = _litestar(
        services, request_bytes, [api, pages], middleware, [permitted], people_reference(), handlers_of_errors
    )
    all_decided(app)
    describe_errors(app)
    return app


def devices_described(core: Core, openers: Sequence[Callable[[Core], Room]] = ROOMS) -> Litestar:
    """The devices' API with its OpenAPI document, for the reference and for tests; it is never served."""
    rooms = [open_room(core) for open_room in openers]
    app = _devices(rooms, _services(core, rooms), core.settings.request_bytes, device_reference())
    describe_errors(app)
    return app


def _devices(
    rooms: Sequence[Room], services: Iterable[str], request_bytes: int, reference: OpenAPIConfig | None = None
) -> Litestar:
    api = _Router(
        "/device/v1",
        route_handlers=[handler for room in rooms for handler in room.devices],
        guards=[accepted_device],
        dependencies={"caller": Provide(caller)},
    )
    return _litestar(services, request_bytes, [api], [FromOutside()], [], reference)


def _litestar(
    services: Iterable[str],
    request_bytes: int,
    handlers: Sequence[ControllerRouterHandler],
    middleware: Sequence[Middleware],
    guards: Sequence[Guard],
    reference: OpenAPIConfig | None = None,
    explaining: Mapping[Any, Any] = errors.HANDLERS,
) -> Litestar:
    return _Application(
        handlers,
        dependencies={name: service(name) for name in services},
        exception_handlers=dict(explaining),
        middleware=middleware,
        guards=guards,
        openapi_config=reference,
        request_max_body_size=request_bytes,
        logging_config=None,
    )


def _services(core: Core, rooms: Sequence[Room]) -> dict[str, Any]:
    offered: dict[str, Any] = {"core": core, "database": core.database, "events": core.events, "objects": core.objects}
    for room in rooms:
        twice = offered.keys() & room.services.keys()
        if twice:
            raise ValueError(f"two rooms offer {sorted(twice)}")
        offered |= room.services
    return offered


def _fan_out(receivers: Sequence[Callable[[str, bytes], None]]) -> Callable[[str, bytes], None]:
    def receive(device: str, payload: bytes) -> None:
        for receiver in receivers:
            receiver(device, payload)

    return receive
