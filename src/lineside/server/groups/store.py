"""Queries of the groups room; the tables lie in the devices room, where check-ins keep members up to date."""

from __future__ import annotations

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from lineside.contract.device import DeviceState
from lineside.contract.group import Group, Membership
from lineside.server.devices.membership import NamedGroupRow
from lineside.server.devices.store import DeviceRow, GroupRow


def groups(session: Session, name: str | None = None) -> list[Group]:
    """Every group by name, or one, with the number of its devices."""
    by_selector = case((GroupRow.origin == Membership.SELECTOR.value, 1), else_=0)
    counts = (
        select(GroupRow.group, func.count().label("devices"), func.sum(by_selector).label("selected"))
        .join(DeviceRow, DeviceRow.name == GroupRow.device)
        .where(DeviceRow.state == DeviceState.ACCEPTED.value)
        .group_by(GroupRow.group)
    )
    counts = counts if name is None else counts.where(GroupRow.group == name)
    named = counts.subquery()
    query = (
        select(NamedGroupRow, named.c.devices, named.c.selected)
        .join(named, named.c.group == NamedGroupRow.name, isouter=True)
        .order_by(NamedGroupRow.name)
    )
    query = query if name is None else query.where(NamedGroupRow.name == name)
    return [_group(row, devices or 0, by_it or 0) for row, devices, by_it in session.execute(query)]


def _group(row: NamedGroupRow, devices: int, selected: int) -> Group:
    return Group(
        name=row.name,
        selector=row.selector,
        description=row.description,
        devices=devices,
        selected=selected,
        created_at=row.created_at,
    )
