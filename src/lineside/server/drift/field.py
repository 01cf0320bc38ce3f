"""Field accuracy of model versions, from reviews of the random sample: by version, group and fleet.

Reviews are read once and added up by version and device; the sums are kept until there are other reviews.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lineside.contract import field_accuracy as numbers
from lineside.contract.errors import LinesideError
from lineside.contract.field_accuracy import ENOUGH_PICTURES, FieldAccuracy, Sums
from lineside.server.clock import rfc3339
from lineside.server.devices.store import GroupRow
from lineside.server.review.reading import reviews_of
from lineside.server.review.store import ItemRow
from lineside.server.services import Core

MOST_DAYS = 365
RANDOM = "random"

_HOUR = 13
_MOST_KEPT = 8  # sums of so many beginnings


class Told:
    """What the reviews of one model version on one device come to."""

    def __init__(self) -> None:
        self.pictures = self.right = 0
        self.last_at = ""
        self.classes: dict[str, Sums] = {}
        self.all = Sums()


class _Key(NamedTuple):
    since: str
    reviews: int
    last_at: str


_By = dict[tuple[str, int], dict[str, Told]]  # model version, device


class FieldAccuracies:
    """The honest numbers. Any thread may ask."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._kept: dict[_Key, _By] = {}
        self._lock = threading.Lock()

    def of(
        self, model: str | None = None, group: str | None = None, device: str | None = None, days: int = 30
    ) -> list[FieldAccuracy]:
        """By model version, newest first, from reviews of the last days. Raises `request.invalid`."""
        with self._core.database.read() as session:
            return self.within(session, model, group, device, days)

    def within(
        self,
        session: Session,
        model: str | None = None,
        group: str | None = None,
        device: str | None = None,
        days: int = 30,
    ) -> list[FieldAccuracy]:
        """The same in the reader's transaction."""
        name, version = _named(model)
        devices = None if group is None else set(_members(session, group))
        if device is not None:
            devices = {device} if devices is None else devices & {device}
        found = []
        for (of, number), by_device in self._sums(session, days).items():
            if (name is None or of == name) and (version is None or number == version):
                told = [one for where, one in by_device.items() if devices is None or where in devices]
                if told:
                    found.append(_accuracy(of, number, told))
        return sorted(found, key=lambda one: (one.model, -one.version))

    def _sums(self, session: Session, days: int) -> _By:
        since = rfc3339(self._core.clock.now() - timedelta(days=days))[:_HOUR]
        mine = (ItemRow.strategy == RANDOM, ItemRow.reviewed_at > since)
        count, last = session.execute(select(func.count(), func.max(ItemRow.reviewed_at)).where(*mine)).one()
        key = _Key(since, count, last or "")
        with self._lock:
            known = self._kept.get(key)
        if known is None:
            known = _added_up(session, since)
            with self._lock:
                self._kept = dict([*self._kept.items(), (key, known)][-_MOST_KEPT:])
        return known


def _added_up(session: Session, since: str) -> _By:
    found: _By = defaultdict(lambda: defaultdict(Told))
    for review in reviews_of(session, strategy=RANDOM, since=since):
        result = review.record.result
        if result is None:
            continue
        told = found[(result.model, result.version)][review.record.device]
        counts = numbers.count(review.labels, review.predicted)
        told.pictures += 1
        told.right += all(labelled == matched == seen for labelled, seen, matched in counts.values())
        told.last_at = max(told.last_at, review.reviewed_at)
        for label, one in counts.items():
            told.classes.setdefault(label, Sums()).add(*one)
        told.all.add(*(sum(one[place] for one in counts.values()) for place in range(3)))
    return found


def _accuracy(model: str, version: int, told: list[Told]) -> FieldAccuracy:
    pictures, everything = sum(one.pictures for one in told), _merged(one.all for one in told)
    enough = pictures >= ENOUGH_PICTURES
    classes = numbers.added(one.classes for one in told)
    return FieldAccuracy(
        model=model,
        version=version,
        pictures=pictures,
        devices=len(told),
        last_at=max(one.last_at for one in told),
        accuracy=numbers.accuracy(everything) if enough else None,
        right=numbers.share(sum(one.right for one in told), pictures) if enough else None,
        classes=tuple(numbers.class_accuracy(label, classes[label]) for label in sorted(classes)),
    )


def _merged(sums: Iterable[Sums]) -> Sums:
    total = Sums()
    for one in sums:
        total.merge(one)
    return total


def _members(session: Session, group: str) -> Iterable[str]:
    return session.scalars(select(GroupRow.device).where(GroupRow.group == group))


def _named(model: str | None) -> tuple[str | None, int | None]:
    if model is None:
        return None, None
    name, colon, version = model.partition(":")
    if not colon:
        return name, None
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise LinesideError("request.invalid", why=f"{model!r} is neither a model's name nor name:version")
    return name, int(version)
