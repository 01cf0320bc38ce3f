"""Sums of measures: what the results of many devices over many hours come to, in one statement each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from lineside.contract.histogram import quantile
from lineside.contract.measure import Measures
from lineside.server.models.store import ModelRow
from lineside.server.telemetry.measures import CONFIDENCES, LATENCIES, SUMS, classes, hours

NOTHING = "(nothing)"
"""Where classes are compared: an image on which nothing was found."""

_NO_LATENCY = tuple(name for name in SUMS if name not in LATENCIES)


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Measures added up; `devices` have some."""

    devices: int = 0
    comparing: int = 0  # devices with an image that the previous model looked at, too
    of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SUMS, 0))
    classes: dict[str, int] = field(default_factory=dict)

    @property
    def latencies(self) -> list[int]:
        """Results by step of latency."""
        return [self.of[name] for name in LATENCIES]

    @property
    def confidences(self) -> list[int]:
        """Detections by step of confidence."""
        return [self.of[name] for name in CONFIDENCES]

    @property
    def mix(self) -> dict[str, int]:
        """Detections by class, and images on which nothing was found."""
        return {**self.classes, NOTHING: self.of["without"]}


Where = Collection[ColumnElement[bool]]


def sums_of(session: Session, where: Where, of_classes: Where, *, latency: bool = True) -> Sums:
    """All measures of the hours that `where` names; `of_classes` says the same about the table of classes. Without
    `latency` most of the work is saved."""
    row = session.execute(select(*_sums(SUMS if latency else _NO_LATENCY)).where(*where)).one()._mapping
    labels = select(classes.c.label, func.sum(classes.c.count).label("found")).where(*of_classes)
    found = session.execute(labels.group_by(classes.c.label).order_by(classes.c.label))
    return _read(row, {one.label: int(one.found) for one in found})


def measures_of(session: Session, since: str, model: str | None = None, device: str | None = None) -> list[Measures]:
    """What results since an hour come to, by model file, newest model first; of one model (its name, or name:version)
    or device when given."""
    labels = _labels(session, model)
    where: list[Any] = [hours.c.hour >= since, hours.c.digest.in_(labels)]
    if device is not None:
        where.append(hours.c.device == device)
    query = select(hours.c.digest, func.min(hours.c.hour).label("first"), *_sums()).where(*where)
    rows = {row.digest: row._mapping for row in session.execute(query.group_by(hours.c.digest))}
    counted: dict[str, dict[str, int]] = {}
    for row in session.execute(_classes_by_file(since, rows.keys(), device)):
        counted.setdefault(row.digest, {})[row.label] = int(row.found)
    return [
        _measures(label, digest, rows[digest], counted.get(digest, {}))
        for digest, label in labels.items()
        if digest in rows
    ]


def _sums(names: Collection[str] = SUMS) -> list[ColumnElement[int]]:
    added = [func.coalesce(func.sum(hours.c[name]), 0).label(name) for name in names]
    devices = func.count(hours.c.device.distinct()).label("devices")
    comparing = func.count(hours.c.device.distinct()).filter(hours.c.compared > 0).label("comparing")
    return [devices, comparing, *added]


def _read(row: Any, found: dict[str, int]) -> Sums:
    of = {name: int(row[name]) if name in row else 0 for name in SUMS}
    return Sums(devices=row["devices"], comparing=row["comparing"], of=of, classes=found)


def _labels(session: Session, model: str | None) -> dict[str, str]:
    """Digest of its file ► label, newest model first."""
    name, _, version = (model or "").partition(":")
    query = select(ModelRow.registered).order_by(ModelRow.number.desc())
    if model:
        query = query.where(ModelRow.name == name)
    if version:
        query = query.where(ModelRow.version == int(version))
    found: dict[str, str] = {}
    for registered in session.scalars(query):
        found.setdefault(registered.digest, registered.label)
    return found


def _classes_by_file(since: str, digests: Collection[str], device: str | None) -> Select[Any]:
    query = select(classes.c.digest, classes.c.label, func.sum(classes.c.count).label("found"))
    query = query.where(classes.c.hour >= since, classes.c.digest.in_(digests))
    if device is not None:
        query = query.where(classes.c.device == device)
    return query.group_by(classes.c.digest, classes.c.label).order_by(classes.c.label)


def _measures(label: str, digest: str, row: Any, found: dict[str, int]) -> Measures:
    sums = _read(row, found)
    return Measures(
        model=label,
        digest=digest,
        devices=sums.devices,
        count=sums.of["count"],
        without=sums.of["without"],
        p50_ms=round(quantile(sums.latencies, 0.5) or 0.0, 2),
        p95_ms=round(quantile(sums.latencies, 0.95) or 0.0, 2),
        confidences=tuple(sums.confidences),
        classes=found,
        compared=sums.of["compared"],
        agreed=sums.of["agreed"],
        since=f"{row['first']}:00:00.000Z",
    )
