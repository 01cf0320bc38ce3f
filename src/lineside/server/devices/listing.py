"""The fleet as it is searched, filtered, counted and paged: by SQL over columns; only the devices of a page are read.

The one word for a device is decided here. What is wrong beats what is under way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from lineside.contract.device import DeviceState
from lineside.contract.reported import Phase
from lineside.contract.selector import parse
from lineside.server.devices.labels import selected
from lineside.server.devices.model import Outcome
from lineside.server.devices.store import DesiredContentRow, DesiredRow, DeviceRow, GroupRow

MOST = 500
"""Devices of one page."""
WRONG = ("failed", "refused", "rolled back", "different")
"""Words for a device that does not run what it should."""
UNDECIDED = (DeviceState.PENDING.value, DeviceState.QUARANTINED.value)
"""Words for a device about which a person has to decide."""
WORDS = (
    "healthy",
    "waiting",
    "fetching",
    "installing",
    "starting",
    *WRONG,
    "offline",
    "idle",
    *UNDECIDED,
    DeviceState.REVOKED.value,
)
"""All words there are, in the order in which they are shown."""
TROUBLED = "troubled"
"""Filters for devices that a person should look at, whatever their word: see `Filter`."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which devices; what is empty says nothing. `summary` is one word or more with commas between, of `WORDS`,
    `accepted`, or `troubled`: what runs something else, waits for a decision, or tells of conditions and is not silent.
    """

    q: str = ""  # within the name
    summary: str = ""
    group: str = ""
    selector: str = ""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are of each word, in the order of `WORDS`; twins for themselves."""

    devices: dict[str, int]
    twins: dict[str, int]

    @property
    def all(self) -> dict[str, int]:
        """Both together."""
        names = sorted(self.devices.keys() | self.twins.keys(), key=_place)
        return {name: self.devices.get(name, 0) + self.twins.get(name, 0) for name in names}


def _wants_nothing() -> ColumnElement[bool]:
    empty = select(DesiredContentRow.digest).where(DesiredContentRow.components == ())
    return or_(DesiredRow.content.is_(None), DesiredRow.content.in_(empty))


def _revision() -> ColumnElement[int]:
    return func.coalesce(DesiredRow.revision, 0)


def summary(cutoff: str) -> ColumnElement[str]:
    """The word for a device, which was silent too long if it was not heard of since `cutoff` (RFC 3339)."""
    lies = and_(DeviceRow.phase == Phase.HEALTHY.value, DeviceRow.outcome == Outcome.FAILED.value)
    return case(
        (DeviceRow.state != DeviceState.ACCEPTED.value, DeviceRow.state),
        (or_(DeviceRow.last_seen.is_(None), DeviceRow.last_seen < cutoff), literal("offline")),
        (and_(_wants_nothing(), DeviceRow.phase.in_(("", Phase.IDLE.value))), literal("idle")),
        (or_(DeviceRow.phase == "", DeviceRow.revision < _revision()), literal("waiting")),
        (lies, literal("different")),  # says healthy, and runs something else
        (DeviceRow.phase == Phase.ROLLED_BACK.value, literal("rolled back")),
        else_=DeviceRow.phase,
    )


def healthy() -> ColumnElement[bool]:
    """Whether a device reported this very revision healthy and runs the wanted digests."""
    return and_(
        DeviceRow.state == DeviceState.ACCEPTED.value,
        ~_wants_nothing(),
        DeviceRow.revision == _revision(),
        DeviceRow.outcome == Outcome.HEALTHY.value,
    )


def shown(cutoff: str) -> Any:
    """Devices with their word, whether they are healthy, and the revision they should run."""
    columns = summary(cutoff).label("summary"), healthy().label("healthy"), _revision().label("revision")
    return _joined(select(DeviceRow, *columns))


def page(session: Session, which: Filter, cutoff: str, after: str, limit: int) -> Sequence[Any]:
    """Rows of `shown` by name, those after a name. Raises `selector.invalid`."""
    query = shown(cutoff).where(*_conditions(which, cutoff))
    return session.execute(query.where(DeviceRow.name > after).order_by(DeviceRow.name).limit(limit)).all()


def count(session: Session, which: Filter, cutoff: str) -> int:
    """How many devices there are. Raises `selector.invalid`."""
    query = _joined(select(func.count(DeviceRow.name))) if which.summary else select(func.count(DeviceRow.name))
    return session.scalar(query.where(*_conditions(which, cutoff))) or 0


def counts(session: Session, which: Filter, cutoff: str) -> Counts:
    """How many devices there are by their word. Raises `selector.invalid`."""
    word = summary(cutoff).label("word")
    query = _joined(select(word, DeviceRow.twin, func.count())).where(*_conditions(which, cutoff))
    rows = sorted(session.execute(query.group_by(word, DeviceRow.twin)).all(), key=lambda row: _place(row[0]))
    return Counts(
        devices={name: count for name, twin, count in rows if not twin},
        twins={name: count for name, twin, count in rows if twin},
    )


def names(session: Session, which: Filter, cutoff: str) -> list[str]:
    """Names of all the devices there are, sorted. Raises `selector.invalid`."""
    query = select(DeviceRow.name).order_by(DeviceRow.name).where(*_conditions(which, cutoff))
    return list(session.scalars(_joined(query) if which.summary else query))


def troubled(session: Session, cutoff: str, limit: int) -> Sequence[Any]:
    """Rows of `shown` that a person should look at, by name."""
    return page(session, Filter(summary=TROUBLED), cutoff, "", limit)


def squares(session: Session, cutoff: str, limit: int) -> Sequence[Any]:
    """(name, word, number of conditions) of the first devices by name."""
    query = select(DeviceRow.name, summary(cutoff).label("summary"), DeviceRow.conditions)
    return session.execute(_joined(query).order_by(DeviceRow.name).limit(limit)).all()


def _joined(query: Any) -> Any:
    return query.join(DesiredRow, DesiredRow.device == DeviceRow.name, isouter=True)


def _conditions(which: Filter, cutoff: str) -> list[ColumnElement[bool]]:
    found = []
    if which.q:
        found.append(DeviceRow.name.icontains(which.q, autoescape=True))
    if which.summary:
        found.append(_has_word([word.strip() for word in which.summary.split(",")], cutoff))
    if which.group:
        found.append(DeviceRow.name.in_(select(GroupRow.device).where(GroupRow.group == which.group)))
    if which.selector:
        found.append(selected(parse(which.selector)))
    return found


def _has_word(words: Collection[str], cutoff: str) -> ColumnElement[bool]:
    accepted = DeviceState.ACCEPTED.value
    if not set(words) - {accepted, *UNDECIDED, DeviceState.REVOKED.value}:
        return DeviceRow.state.in_(words)
    word = summary(cutoff)
    found: ColumnElement[bool] = word.in_([one for one in words if one not in (accepted, TROUBLED)])
    if accepted in words:
        found = or_(found, DeviceRow.state == accepted)
    return or_(found, _needs_a_look(word)) if TROUBLED in words else found


def _needs_a_look(word: ColumnElement[str]) -> ColumnElement[bool]:
    silent = word.in_(("offline", DeviceState.REVOKED.value))
    return or_(word.in_((*WRONG, *UNDECIDED)), and_(DeviceRow.conditions > 0, ~silent))


def _place(word: str) -> tuple[int, str]:
    return (WORDS.index(word) if word in WORDS else len(WORDS), word)
