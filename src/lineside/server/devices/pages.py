"""Pages of the devices room: the fleet, and one device with what it should run beside what it runs."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from lineside.contract.desired import Desired
from lineside.contract.device import Device
from lineside.contract.reported import ReportedComponent
from lineside.server.access.events import Events
from lineside.server.database import Database
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.devices.service import Devices
from lineside.server.services import Core
from lineside.server.web.render import AnyRequest, Page, page

_LAST_EVENTS = 20


class Row(msgspec.Struct, frozen=True):
    """One component of a device: what is wanted beside what runs."""

    name: str
    wanted: str | None
    digest: str | None
    running: ReportedComponent | None

    @property
    def matches(self) -> bool:
        return self.running is not None and self.running.recipe_digest == self.digest


def rows_of(device: Device, desired: Desired) -> list[Row]:
    """Every component that is wanted or runs, by name."""
    wanted = {component.name: component for component in desired.components}
    running = {component.name: component for component in (device.report.running if device.report else ())}
    rows = []
    for name in sorted(wanted.keys() | running.keys()):
        want, run = wanted.get(name), running.get(name)
        digest = want.recipe_digest if want else None
        rows.append(Row(name, want.version if want else None, digest, run))
    return rows


@get("/devices", sync_to_thread=True, include_in_schema=False)
def devices_page(request: AnyRequest, devices: NamedDependency[Devices]) -> Page:
    """Every device."""
    return page(request, "devices/list.html", here="/devices", live=True, devices=devices.list())


@get("/devices/{name:str}", sync_to_thread=True, include_in_schema=False)
def device_page(
    request: AnyRequest,
    name: FromPath[str],
    core: NamedDependency[Core],
    devices: NamedDependency[Devices],
    database: NamedDependency[Database],
    events: NamedDependency[Events],
) -> Page:
    """One device; its last image is asked for by the page itself (see the telemetry room)."""
    device = devices.get(name)
    with database.read() as session:
        desired = DesiredDocuments(core).desired(session, name)
        happened = events.about(session, subject=name, limit=_LAST_EVENTS)
    rows = rows_of(device, desired)
    return page(request, "devices/page.html", here="/devices", live=True, device=device, rows=rows, events=happened)


routes = [devices_page, device_page]
