"""The main menu: areas, and the pages of each. `here` of a page is the address of the entry it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lineside.contract.people import Permission


class Entry(NamedTuple):
    """A page of the menu; one with `needs` is shown to those alone who may do that."""

    label: str
    address: str
    needs: Permission | None = None


class Area(NamedTuple):
    """Pages that belong together; the area's own link leads to the first of them."""

    label: str
    entries: tuple[Entry, ...]


AREAS = (
    Area("Overview", (Entry("Overview", "/"), Entry("Events", "/events"))),
    Area(
        "Fleet",
        (
            Entry("Devices", "/devices"),
            Entry("Groups", "/groups"),
            Entry("Rollouts", "/rollouts"),
            Entry("Components", "/components"),
            Entry("Versions", "/adoption"),
        ),
    ),
    Area(
        "Models",
        (
            Entry("Models", "/models"),
            Entry("Runs", "/runs"),
            Entry("Loops", "/loops"),
            Entry("Deliveries", "/deliveries"),
        ),
    ),
    Area("Data", (Entry("Datasets", "/datasets"), Entry("Review", "/review"))),
    Area("Field", (Entry("Captures", "/captures"), Entry("Collections", "/collections"), Entry("Drift", "/drift"))),
    Area(
        "Settings",
        (
            Entry("Trust", "/trust"),
            Entry("Secrets", "/secrets"),
            Entry("Webhooks", "/webhooks", Permission.ADMINISTER),
            Entry("People", "/users", Permission.ADMINISTER),
            Entry("Audit", "/audit"),
        ),
    ),
)


def menu(may: Callable[[Permission], bool]) -> list[Area]:
    """Areas and pages for somebody who `may` do some things."""
    shown = (Area(area.label, tuple(one for one in area.entries if not one.needs or may(one.needs))) for area in AREAS)
    return [area for area in shown if area.entries]


def area_of(here: str) -> str:
    """The label of the area that an entry's address lies in; empty where it lies in none."""
    return next((area.label for area in AREAS if any(one.address == here for one in area.entries)), "")
