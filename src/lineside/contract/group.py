"""Groups: named sets of devices, by hand or by a selector. Labels: what devices are called."""

from __future__ import annotations

import enum

import msgspec


class Membership(enum.Enum):
    """How a device came into a group."""

    STATIC = "static"  # it joined into it, or a person put it there
    SELECTOR = "selector"  # the group's selector selects it, for as long as it does


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group as it is shown. Devices that a selector selects belong to it beside those that were put there."""

    name: str
    selector: str | None = None  # None: only devices that were put there
    description: str = ""
    devices: int = 0  # accepted ones
    selected: int = 0  # of these, by the selector
    created_at: str = ""
    deployments: tuple[str, ...] = ()  # ids of those its devices follow; only where one group is shown


class GroupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A new group."""

    name: str
    selector: str | None = None
    description: str = ""


class GroupChange(msgspec.Struct, frozen=True, kw_only=True):
    """What to change about a group; what is None stays. `selector=""` takes the selector away."""

    selector: str | None = None
    description: str | None = None


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Which devices something is done to: by name, or all that a selector selects; not both."""

    devices: tuple[str, ...] = ()
    selector: str | None = None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """How many devices something changed."""

    devices: int


class LabelsChange(msgspec.Struct, frozen=True, kw_only=True):
    """Labels to set on devices, and keys to take away from them."""

    which: Which
    set: dict[str, str] = {}
    remove: tuple[str, ...] = ()


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A label of a device; `person` says that a person set it, not the device's own configuration."""

    key: str
    value: str
    person: bool
