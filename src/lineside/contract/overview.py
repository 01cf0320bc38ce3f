"""The overview: the loop with a live count at each stage, and what needs a person."""

from __future__ import annotations

import msgspec

from lineside.contract.field_accuracy import FieldAccuracy


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of the loop."""

    name: str
    count: int
    note: str = ""
    href: str = ""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Something only a person can settle."""

    what: str
    href: str
    command: str


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What the first page and `GET /api/v1/overview` show."""

    version: str
    people_url: str
    device_url: str
    ca_sha256: str
    trust_mode: str  # "developer": all keys are on this machine
    stages: tuple[Stage, ...]
    field: tuple[FieldAccuracy, ...] = ()  # of the newest reviewed version of each model, without its classes
    needs: tuple[Need, ...] = ()
