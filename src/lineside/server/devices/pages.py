"""Pages of the devices room: the fleet, and one device with what it should run beside what it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from lineside.contract.alarm import raised
from lineside.contract.device import Device, DevicePage
from lineside.contract.errors import LinesideError
from lineside.contract.recipes.builtin import is_builtin
from lineside.contract.reported import ReportedComponent
from lineside.contract.shadow import ShadowStatus, shadow_of
from lineside.contract.twin import facts_in_words
from lineside.server.access.events import Events
from lineside.server.database import Database
from lineside.server.devices.listing import Filter
from lineside.server.devices.service import Devices
from lineside.server.web.render import AnyRequest, Page, page

_LAST_EVENTS = 20
_RUNS_A_MODEL = ".inference"  # how the components end that run a model, see components.recipes
_A_PAGE, _WAITING = 100, 20


class Row(msgspec.Struct, frozen=True):
    """One component of a device: what is wanted beside what runs."""

    name: str
    wanted: str | None
    target: str
    digest: str | None
    running: ReportedComponent | None

    @property
    def matches(self) -> bool:
        return self.running is not None and self.running.recipe_digest == self.digest

    @property
    def differs(self) -> bool:
        return self.running is not None and self.digest is not None and not self.matches

    @property
    def origin(self) -> str:
        """Where it comes from, if not from the control plane; what nobody here asked for was deployed there."""
        if is_builtin(self.name):
            return "comes with the agent"
        return "" if self.target else "not from here"

    @property
    def shadow(self) -> ShadowStatus | None:
        """What a candidate says that looks on beside its model."""
        return shadow_of(self.running.probe) if self.running else None

    @property
    def page(self) -> str:
        """The address of the component version's own page, if it has one."""
        return f"/components/{self.name}/{self.wanted}" if self.wanted and not self.origin else ""


def rows_of(device: Device) -> list[Row]:
    """Every component that is wanted or runs, by name."""
    wanted = {component.name: component for component in device.wanted}
    running = {component.name: component for component in (device.report.running if device.report else ())}
    rows = []
    for name in sorted(wanted.keys() | running.keys()):
        want, run = wanted.get(name), running.get(name)
        version, target, digest = (want.version, want.target, want.recipe_digest) if want else (None, "", None)
        rows.append(Row(name, version, target, digest, run))
    return rows


def facts_of(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Facts as people read them: without depth, bytes in their unit, percents and degrees as such."""
    for name, value in facts.items():
        words = f"{before}{name.replace('_', ' ')}"
        if isinstance(value, Mapping) and "unit" in value:
            yield words, _measured(value)
        elif isinstance(value, Mapping):
            yield from facts_of(value, f"{words} ")
        elif isinstance(value, int | float) and name.endswith(tuple(_UNITS)):
            unit = next(unit for unit in _UNITS if name.endswith(unit))
            yield words.removesuffix(unit.replace("_", " ")), _UNITS[unit](value)
        else:
            yield words, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _measured(series: Mapping[str, Any]) -> str:
    """What a component measured since the report before: the last value, and how it varied."""
    last, mean, low, high = (f"{series.get(key, 0):g}" for key in ("last", "mean", "min", "max"))
    return f"{last} {series['unit']} ({series.get('count', 1)} values, mean {mean}, {low} to {high})"


def _duration(seconds: float) -> str:
    minutes = int(seconds) // 60
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


def _size(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


_UNITS: dict[str, Callable[[float], str]] = {
    "_bytes": _size,
    "_percent": lambda value: f"{value:.1f} %",
    "_celsius": lambda value: f"{value:.0f} °C",
    "_mb": lambda value: _size(value * 1_000_000),
    "_seconds": _duration,
}


@get("/devices", sync_to_thread=True, include_in_schema=False)
def devices_page(
    request: AnyRequest,
    devices: NamedDependency[Devices],
    q: FromQuery[str] = "",
    summary: FromQuery[str] = "",
    group: FromQuery[str] = "",
    selector: FromQuery[str] = "",
    after: FromQuery[str] = "",
) -> Page:
    """Devices by name, a page of them; a selector that cannot be read is explained in place."""
    which = Filter(q=q.strip(), summary=summary, group=group.strip(), selector=selector.strip())
    problem, found = None, DevicePage(devices=(), total=0)
    counts: dict[str, int] = {}
    try:
        counts = devices.counts(msgspec.structs.replace(which, summary="")).all
        words = counts if not which.summary else [word.strip() for word in which.summary.split(",")]
        total = None if "accepted" in words else sum(counts.get(word, 0) for word in words)
        found = devices.page(which, after, _A_PAGE, total)
    except LinesideError as error:
        problem = error.report()
    ask = which == Filter() and counts.get("pending", 0)
    waiting = devices.page(Filter(summary="pending"), limit=_WAITING, total=ask).devices if ask else ()
    return page(
        request,
        "devices/list.html",
        here="/devices",
        page=found,
        alarms={device.name: raised(device.report) for device in found.devices},
        counts=counts,
        which=which,
        query=urlencode(msgspec.structs.asdict(which)),
        problem=problem,
        waiting=waiting,
        after=after,
    )


@get("/devices/{name:str}", sync_to_thread=True, include_in_schema=False)
def device_page(
    request: AnyRequest,
    name: FromPath[str],
    devices: NamedDependency[Devices],
    database: NamedDependency[Database],
    events: NamedDependency[Events],
) -> Page:
    """One device; its last image is asked for by the page itself (see the telemetry room)."""
    device = devices.get(name)
    with database.read() as session:
        happened = events.about(session, subject=name, limit=_LAST_EVENTS)
    return page(
        request,
        "devices/page.html",
        here="/devices",
        live=True,
        device=device,
        alarms=raised(device.report),
        rows=rows_of(device),
        inference=[row.name for row in rows_of(device) if row.running and row.name.endswith(_RUNS_A_MODEL)],
        facts=list(facts_of(facts_in_words(device.report.facts))) if device.report else [],
        events=happened,
    )


routes = [devices_page, device_page]
