"""Measures: what results come to, by model file; and which versions of a component run on how many devices."""

from __future__ import annotations

import msgspec


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """What the results by one model file come to over some hours. Percentiles are read from a histogram whose steps are
    a factor of 2^(1/4) wide: they are within 19 % of the exact ones."""

    model: str  # name:version; the newest version with this file
    digest: str
    devices: int
    count: int  # results
    without: int  # images on which nothing was found
    p50_ms: float
    p95_ms: float
    confidences: tuple[int, ...]  # detections in ten equal steps of confidence from 0 to 1
    classes: dict[str, int]  # detections by class
    compared: int = 0  # images that the previous model looked at, too
    agreed: int = 0  # of these, images on which both found the same
    since: str = ""  # the first hour with results, RFC 3339


class AdoptionPoint(msgspec.Struct, frozen=True, kw_only=True):
    """How many devices ran each version from a moment on."""

    at: str
    versions: dict[str, int]


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """Which versions of a component run on how many accepted devices, over time. A point holds until the next one."""

    name: str
    now: dict[str, int]  # version ► devices, as devices last reported
    points: tuple[AdoptionPoint, ...] = ()  # oldest first, only where something changed
