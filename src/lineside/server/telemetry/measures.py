"""Tables of measures: what the results of a device by one model file come to in one hour; and their queries.

One row a device, file and hour, in columns that only ever grow, so that results add up in one statement on either
database, and what thousands of devices come to is one sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, FromClause, Integer, String, Table, TextClause, delete, text
from sqlalchemy.orm import Session

from lineside.contract.histogram import CONFIDENCE_STEPS, LATENCY_STEPS, confidence_step, latency_step
from lineside.contract.result import Result
from lineside.server.database import Base

LATENCIES = tuple(f"l{step:02}" for step in range(LATENCY_STEPS))
CONFIDENCES = tuple(f"c{step}" for step in range(CONFIDENCE_STEPS))
SUMS = ("count", "without", "compared", "agreed", *CONFIDENCES, *LATENCIES)
"""Columns that add up: results, those without a detection, those the previous model looked at too, those of them on
which both agree, detections by confidence, results by latency."""

OTHER = "(other)"
"""The class of detections that the model does not know by its signature."""

HOUR = 13
"""Characters of an RFC 3339 moment that name its hour."""


class HourRow(Base):
    """What a device's results by one file came to in one hour."""

    __table__ = Table(
        "result_hours",
        Base.metadata,
        Column("device", String(64), primary_key=True),
        Column("digest", String(80), primary_key=True),
        Column("hour", String(HOUR), primary_key=True, index=True),
        *(Column(name, Integer, nullable=False, default=0, server_default="0") for name in SUMS),
    )


class ClassRow(Base):
    """How often a device found a class in one hour."""

    __table__ = Table(
        "result_classes",
        Base.metadata,
        Column("device", String(64), primary_key=True),
        Column("digest", String(80), primary_key=True),
        Column("hour", String(HOUR), primary_key=True, index=True),
        Column("label", String(128), primary_key=True),
        Column("count", Integer, nullable=False),
    )


hours, classes = HourRow.__table__, ClassRow.__table__

_NONE = dict.fromkeys(SUMS, 0)

Key = tuple[str, str, str]  # device, digest, hour


@dataclass
class Hour:
    """What some results of one device by one file come to."""

    sums: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result, labels: frozenset[str]) -> None:
        """Count one result; `labels` are the classes that the model knows."""
        self.sums["count"] += 1
        self.sums["without"] += not result.detections
        self.sums[LATENCIES[latency_step(result.latency_ms)]] += 1
        for found in result.detections:
            self.sums[CONFIDENCES[confidence_step(found.confidence)]] += 1
            self.classes[found.label if found.label in labels else OTHER] += 1
        if result.compared is not None:
            self.sums["compared"] += 1
            self.sums["agreed"] += result.compared.agrees


def hours_of(results: Iterable[Result], at: str, known: Mapping[str, frozenset[str]]) -> dict[Key, Hour]:
    """What results that came at a moment (RFC 3339) come to; those by files that nobody knows are left out."""
    found: dict[Key, Hour] = {}
    for result in results:
        labels = known.get(result.digest)
        if labels is not None:
            found.setdefault((result.device, result.digest, at[:HOUR]), Hour()).add(result, labels)
    return found


def add(session: Session, measured: Mapping[Key, Hour]) -> None:
    """Add to what is stored."""
    found = sorted(measured.items(), key=lambda one: one[0])  # in one order everywhere: no deadlock
    if found:
        session.execute(_GROW_HOURS, [_NONE | _named(key) | hour.sums for key, hour in found])
    named = [
        _named(key) | {"label": label, "count": count}
        for key, hour in found
        for label, count in sorted(hour.classes.items())
    ]
    if named:
        session.execute(_GROW_CLASSES, named)


def drop_before(session: Session, moment: str) -> None:
    """Forget the hours before a moment (RFC 3339)."""
    for table in (hours, classes):
        session.execute(delete(table).where(table.c.hour < moment[:HOUR]))


def _named(key: Key) -> dict[str, Any]:
    return dict(zip(("device", "digest", "hour"), key, strict=True))


def _growing(name: str, table: FromClause, sums: Iterable[str]) -> TextClause:
    """INSERT … ON CONFLICT that adds to what is there. As text: SQLAlchemy takes milliseconds to make eighty columns of
    it, and results come in all day; both databases read it alike."""
    names = [column.name for column in table.c]
    columns, values = ", ".join(f'"{one}"' for one in names), ", ".join(f":{one}" for one in names)
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key)
    grown = ", ".join(f'"{one}" = {name}."{one}" + excluded."{one}"' for one in sums)
    return text(f"INSERT INTO {name} ({columns}) VALUES ({values}) ON CONFLICT ({keys}) DO UPDATE SET {grown}")


_GROW_HOURS, _GROW_CLASSES = _growing("result_hours", hours, SUMS), _growing("result_classes", classes, ("count",))
