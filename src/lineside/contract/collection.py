"""Collections: so many images from a group of devices until a time, and the report of what came of it.

A collection is spread over the devices of its group when it begins. Each device is told its part; what it keeps for it
comes home as captures whose record names the collection. What a device will not keep is asked of others. It ends when
it is complete, at its time, or by hand.
"""

from __future__ import annotations

import enum

import msgspec

RANDOM, REQUESTED = "random", "requested"
"""Which images a collection takes."""

MOST_IMAGES = 100_000
"""Images of one collection, at most."""


class CollectionState(enum.Enum):
    """How far a collection is."""

    OPEN = "open"
    COMPLETE = "complete"  # as many came as were asked for
    ENDED = "ended"  # its time was over before that
    CANCELLED = "cancelled"


class CollectionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`count` images from the devices of `group` until `until` (RFC 3339). With `classes` only images in which one of
    them was found; `random` takes images by chance, so that they show what is usual, `requested` the next ones."""

    group: str
    count: int
    until: str
    component: str = ""  # which keeps them; empty: any
    classes: tuple[str, ...] = ()
    strategy: str = REQUESTED  # or RANDOM
    note: str = ""  # what for


class CaptureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A collection as one device sees it: its part."""

    id: str
    component: str
    count: int
    until: str
    strategy: str
    classes: tuple[str, ...] = ()


class CaptureProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What a device did for a collection so far. `refused`: images it would have kept but for a reason, by reason;
    `why`: why it can keep none at all."""

    kept: int = 0
    refused: dict[str, int] = {}
    why: str = ""


class CollectionDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One device's line of the report."""

    device: str
    asked: int
    kept: int = 0  # on the device, by its own word
    uploaded: int = 0
    refused: dict[str, int] = {}
    why: str = ""  # it keeps none, or others were asked for its part
    told_at: str | None = None  # when it heard of it


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection with its sums; `devices` are a page of its report, by name, where one is asked for."""

    id: str
    request: CollectionRequest
    state: CollectionState
    created_at: str
    by: str
    ended_at: str | None = None
    schedule: str | None = None  # that began it
    asked: int = 0
    kept: int = 0
    uploaded: int = 0
    refused: dict[str, int] = {}
    told: int = 0  # devices that heard of it
    device_count: int = 0
    devices: tuple[CollectionDevice, ...] = ()


class CollectionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Collections, newest first, without their devices."""

    collections: tuple[Collection, ...]
    total: int


class CollectionSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A collection that begins again and again: `schedule` is cron's five fields in UTC, each goes on for `hours`."""

    name: str
    schedule: str
    hours: float
    group: str
    count: int
    component: str = ""
    classes: tuple[str, ...] = ()
    strategy: str = REQUESTED


class ScheduledCollection(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as the control plane knows it."""

    document: CollectionSchedule
    created_at: str
    by: str
    next_at: str
    last: str | None = None  # id of the collection it began last
    problem: str = ""  # why the last one could not begin
