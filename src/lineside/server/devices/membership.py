"""Groups and who is in them. What selectors select is kept as rows, made anew when labels, facts or a selector change.

Twins are in their own group alone, and a device that waits to be accepted is in none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, String, Text, and_, delete, insert, literal, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineside.contract.device import DeviceState
from lineside.contract.group import Membership
from lineside.contract.selector import Selector, parse
from lineside.server.database import Base
from lineside.server.devices.labels import AT_ONCE, attributes_of, selected
from lineside.server.devices.store import DeviceRow, GroupRow

_BY_SELECTOR = GroupRow.origin == Membership.SELECTOR.value
_FEW = 50  # devices for which it is cheaper to look at each than at all
_BLIND = {"synchronize_session": False}


class NamedGroupRow(Base):
    """A group; its members are `GroupRow`s."""

    __tablename__ = "groups"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    selector: Mapped[str | None] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(32))


def group_exists(session: Session, name: str) -> bool:
    """Whether there is a group of this name."""
    return session.get(NamedGroupRow, name) is not None


def group_names(session: Session, most: int) -> list[str]:
    """Names of groups, in order, so many at most."""
    return list(session.scalars(select(NamedGroupRow.name).order_by(NamedGroupRow.name).limit(most)))


def ensure_group(session: Session, name: str, now: str) -> None:
    """A group that devices may join is there from the moment somebody names it."""
    if session.get(NamedGroupRow, name) is None:
        session.add(NamedGroupRow(name=name, selector=None, description="", created_at=now))
        session.flush()


def put(session: Session, name: str, devices: Sequence[str]) -> int:
    """Put devices into a group; how many were not there by hand before."""
    changed = 0
    for start in range(0, len(devices), AT_ONCE):
        some = devices[start : start + AT_ONCE]
        member = GroupRow.group == name, GroupRow.device.in_(some)
        by_hand = select(GroupRow.device).where(*member, GroupRow.origin == Membership.STATIC.value)
        new = session.scalars(select(DeviceRow.name).where(DeviceRow.name.in_(some), DeviceRow.name.not_in(by_hand)))
        rows = [{"device": device, "group": name, "origin": Membership.STATIC.value} for device in new]
        session.execute(delete(GroupRow).where(*member, _BY_SELECTOR), execution_options=_BLIND)
        if rows:
            session.execute(insert(GroupRow), rows)
        changed += len(rows)
    return changed


def take(session: Session, name: str, devices: Sequence[str]) -> int:
    """Take devices out of a group; how many the selector keeps in it."""
    for start in range(0, len(devices), AT_ONCE):
        some = devices[start : start + AT_ONCE]
        member = GroupRow.group == name, GroupRow.device.in_(some)
        session.execute(delete(GroupRow).where(*member), execution_options=_BLIND)
    follow_selector(session, name)
    return len(members_among(session, name, devices))


def members_among(session: Session, name: str, devices: Sequence[str]) -> list[str]:
    """Which of these devices are in a group."""
    found: list[str] = []
    for start in range(0, len(devices), AT_ONCE):
        some = GroupRow.device.in_(devices[start : start + AT_ONCE])
        found += session.scalars(_members(name).where(some))
    return found


def follow_selector(session: Session, name: str) -> None:
    """Make the group's members by selector those that it selects now, among all devices."""
    group = session.get(NamedGroupRow, name)
    _follow(session, name, group.selector if group else None, literal(True))


def follow_selectors(session: Session, devices: Sequence[str]) -> None:
    """Labels or facts of these devices have changed: put each into the groups that select it, and out of the others."""
    session.flush()
    groups = selectors(session)
    if len(devices) <= _FEW:
        attributes = attributes_of(session, devices)
        for device in devices:
            follow_device(session, device, attributes[device], groups)
        return
    for start in range(0, len(devices), AT_ONCE):
        some = DeviceRow.name.in_(devices[start : start + AT_ONCE])
        for name, selector in groups.items():
            _follow(session, name, selector, some)


def follow_device(
    session: Session, device: str, attributes: Mapping[str, str], groups: Mapping[str, str] | None = None
) -> None:
    """The same for one device, whose labels and facts are at hand."""
    groups = selectors(session) if groups is None else groups
    if not groups:
        return
    row = session.get(DeviceRow, device)
    takes_part = row is not None and not row.twin and row.state != DeviceState.PENDING.value
    wanted = {name for name, text in groups.items() if takes_part and _parsed(text).matches(attributes)}
    there = {member.group: member.origin for member in session.scalars(_rows_of(device))}
    new = [name for name in sorted(wanted) if name not in there]
    gone = [name for name, origin in there.items() if origin == Membership.SELECTOR.value and name not in wanted]
    if new:
        rows = [{"device": device, "group": name, "origin": Membership.SELECTOR.value} for name in new]
        session.execute(insert(GroupRow), rows)
    if gone:
        these = GroupRow.device == device, GroupRow.group.in_(gone)
        session.execute(delete(GroupRow).where(*these), execution_options=_BLIND)


def selectors(session: Session) -> dict[str, str]:
    """The selector of every group that has one."""
    query = select(NamedGroupRow.name, NamedGroupRow.selector).where(NamedGroupRow.selector.is_not(None))
    return {row.name: row.selector or "" for row in session.execute(query)}


def _follow(session: Session, name: str, selector: str | None, among: ColumnElement[bool]) -> None:
    wanted: ColumnElement[bool] = literal(False)
    if selector is not None:
        takes_part = and_(DeviceRow.twin.is_(False), DeviceRow.state != DeviceState.PENDING.value)
        wanted = and_(takes_part, selected(_parsed(selector)))
    gone = select(DeviceRow.name).where(among, ~wanted)
    by_selector = GroupRow.group == name, _BY_SELECTOR
    session.execute(delete(GroupRow).where(*by_selector, GroupRow.device.in_(gone)), execution_options=_BLIND)
    if selector is not None:
        row = select(DeviceRow.name, literal(name), literal(Membership.SELECTOR.value))
        new = row.where(among, wanted, DeviceRow.name.not_in(_members(name)))
        session.execute(insert(GroupRow).from_select(["device", "group", "origin"], new, include_defaults=False))


def _members(name: str) -> Any:
    return select(GroupRow.device).where(GroupRow.group == name)


def _rows_of(device: str) -> Any:
    return select(GroupRow).where(GroupRow.device == device)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Selector:
    return parse(text)
