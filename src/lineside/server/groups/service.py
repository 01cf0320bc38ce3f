"""Use cases of the groups room. Each change is one transaction with its event and its row of the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from lineside.contract.counted import counted
from lineside.contract.errors import LinesideError
from lineside.contract.group import Changed, Group, GroupChange, GroupRequest, LabelsChange, Which
from lineside.contract.ids import is_name
from lineside.contract.selector import parse
from lineside.contract.twin import TWINS
from lineside.server.access.caller import current
from lineside.server.clock import rfc3339
from lineside.server.devices import labels, membership
from lineside.server.devices.membership import NamedGroupRow
from lineside.server.devices.store import DeviceRow, GroupRow
from lineside.server.groups import store
from lineside.server.groups.choosing import chosen, said
from lineside.server.services import Core

_DESCRIPTION = 500


class Deployed(Protocol):
    """Who knows which deployments devices follow."""

    def followed(self, session: Session, group: str) -> Sequence[str]:
        """Ids of deployments to a group that name components and that devices follow, newest first."""
        ...


class NothingDeployed:
    """Where nothing is ever deployed."""

    def followed(self, session: Session, group: str) -> Sequence[str]:
        return ()


class Groups:
    """All groups, and the labels by which their selectors select."""

    def __init__(self, core: Core, deployed: Deployed | None = None) -> None:
        self._core = core
        self.deployed: Deployed = deployed or NothingDeployed()

    # --- showing --------------------------------------------------------------------------------------------------

    def all(self) -> list[Group]:
        """Every group, by name."""
        with self._core.database.read() as session:
            return store.groups(session)

    def get(self, name: str) -> Group:
        """One group, with the deployments that its devices follow. Raises `group.unknown`."""
        with self._core.database.read() as session:
            return self._shown(session, name)

    # --- groups ---------------------------------------------------------------------------------------------------

    def create(self, request: GroupRequest) -> Group:
        """A new group. Raises `request.invalid`, `group.exists`, `group.reserved`, `selector.invalid`."""
        if not is_name(request.name):
            raise LinesideError("request.invalid", why=f"{request.name[:80]!r} is not a name of a group")
        selector = _checked(request.selector)
        with self._core.database.write() as session:
            if request.name == TWINS:
                raise LinesideError("group.reserved", name=TWINS)
            if membership.group_exists(session, request.name):
                raise LinesideError("group.exists", name=request.name)
            now = rfc3339(self._core.clock.now())
            description = _fitting(request.description)
            row = NamedGroupRow(name=request.name, selector=selector, description=description, created_at=now)
            session.add(row)
            session.flush()
            membership.follow_selector(session, row.name)
            what = f"was made{f' with the selector {selector}' if selector else ''}"
            self._decided(session, "group.create", "group.created", row.name, what)
            return self._shown(session, row.name)

    def change(self, name: str, change: GroupChange) -> Group:
        """Another selector, or none any more; another description. Raises `group.*`, `selector.invalid`."""
        selector = _checked(change.selector)
        with self._core.database.write() as session:
            row = self._changeable(session, name)
            if change.description is not None:
                row.description = _fitting(change.description)
            before, what = row.selector, "has another description"
            if change.selector is not None and selector != before:
                row.selector = selector
                what = f"selects {selector}" if selector else f"selects no more (it was {before})"
            session.flush()
            membership.follow_selector(session, name)
            self._decided(session, "group.change", "group.changed", name, what)
            return self._shown(session, name)

    def delete(self, name: str) -> Group:
        """Forget a group; its devices stay. Raises `group.unknown`, `group.reserved`, `group.in_use`."""
        with self._core.database.write() as session:
            row, shown = self._changeable(session, name), self._shown(session, name)
            if shown.deployments:
                raise LinesideError("group.in_use", name=name, deployments=", ".join(shown.deployments))
            session.execute(delete(GroupRow).where(GroupRow.group == name))
            session.delete(row)
            had = counted(shown.devices, "device")
            self._decided(session, "group.delete", "group.deleted", name, f"was deleted, with {had}")
            return shown

    def add(self, name: str, which: Which) -> Changed:
        """Put devices into a group, for good. Raises `group.*`, `request.not_found`, `selector.invalid`."""
        with self._core.database.write() as session:
            self._changeable(session, name)
            names = chosen(session, which)
            self._no_twins(session, names)
            count = membership.put(session, name, names)
            self._decided(session, "group.add", "group.devices", name, f"has {said(which, names)} now", count)
            return Changed(devices=count)

    def remove(self, name: str, which: Which) -> Changed:
        """Take devices out of a group. Raises `group.selected` when its selector keeps some, and as `add` does."""
        with self._core.database.write() as session:
            self._changeable(session, name)
            names = chosen(session, which)
            there = len(membership.members_among(session, name, names))
            kept = membership.take(session, name, names)
            if kept:
                raise LinesideError("group.selected", name=name, devices=kept)
            self._decided(session, "group.remove", "group.devices", name, f"has {said(which, names)} no more", there)
            return Changed(devices=there)

    # --- labels ---------------------------------------------------------------------------------------------------

    def label(self, change: LabelsChange) -> Changed:
        """Set labels, then take some away; groups follow. Raises `label.*`, `group.no_devices`, `request.*`."""
        for key in change.remove:
            labels.check_label(key)
        if not change.set and not change.remove:
            raise LinesideError("request.invalid", why="there is no label to set or to take away")
        with self._core.database.write() as session:
            names = chosen(session, change.which)
            labels.set_labels(session, names, change.set)
            labels.remove_labels(session, names, change.remove)
            membership.follow_selectors(session, names)
            what = _labels(change)
            subject = names[0] if len(names) == 1 else f"{len(names)} devices"
            self._core.events.record(
                session,
                kind="device.labelled",
                subject=subject,
                message=f"{said(change.which, names)}: {what}",
                actor=current().name,
            )
            self._core.audit.record(session, "device.label", subject, why=f"{said(change.which, names)}: {what}")
            return Changed(devices=len(names))

    # --- all ------------------------------------------------------------------------------------------------------

    def _shown(self, session: Session, name: str) -> Group:
        found = store.groups(session, name) if name.isprintable() else []
        if not found:
            raise LinesideError("group.unknown", name=name[:80])
        return msgspec.structs.replace(found[0], deployments=tuple(self.deployed.followed(session, name)))

    def _changeable(self, session: Session, name: str) -> NamedGroupRow:
        if name == TWINS:
            raise LinesideError("group.reserved", name=name)
        row = session.get(NamedGroupRow, name) if name.isprintable() else None
        if row is None:
            raise LinesideError("group.unknown", name=name[:80])
        return row

    def _no_twins(self, session: Session, names: Sequence[str]) -> None:
        twins = select(DeviceRow.name).where(DeviceRow.twin.is_(True))
        if not set(names).isdisjoint(session.scalars(twins)):
            raise LinesideError("group.reserved", name=TWINS)

    def _decided(
        self, session: Session, action: str, kind: str, name: str, what: str, devices: int | None = None
    ) -> None:
        why = what if devices is None else f"{what} ({devices} changed)"
        self._core.events.record(
            session, kind=kind, subject=name, message=f"The group {name} {why}.", actor=current().name
        )
        self._core.audit.record(session, action, name, why=why)


def _labels(change: LabelsChange) -> str:
    return ", ".join(
        [*(f"{key}={value}" for key, value in change.set.items()), *(f"no {key}" for key in change.remove)]
    )


def _checked(selector: str | None) -> str | None:
    """A selector as it is kept; none when it says nothing."""
    return str(parse(selector)) or None if selector is not None else None


def _fitting(description: str) -> str:
    return "".join(letter for letter in description if letter.isprintable())[:_DESCRIPTION]
