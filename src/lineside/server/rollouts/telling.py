"""Tells devices what to run, and sends them back: their documents and the rollout's rows, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from lineside.contract.rollout import DeviceProgress
from lineside.server.database.among import among
from lineside.server.devices.store import DeviceRow
from lineside.server.rollouts import observing, store
from lineside.server.rollouts.assignments import Assignments
from lineside.server.rollouts.store import RolloutDeviceRow, RolloutRow

_QUIET = {"synchronize_session": False}


class Telling:
    """What a rollout does to devices."""

    def __init__(self, assignments: Assignments) -> None:
        self._assignments = assignments

    def tell(
        self, session: Session, row: RolloutRow, count: int, zones: Sequence[str] | None, at: str
    ) -> Mapping[int, int]:
        """Give the next `count` waiting devices of the waves that have begun the deployment's document; with `zones`
        only those in one of these time zones. How many of each wave were told."""
        query = select(RolloutDeviceRow.device, RolloutDeviceRow.again, RolloutDeviceRow.wave).where(
            RolloutDeviceRow.rollout == row.number,
            RolloutDeviceRow.wave <= row.wave,
            RolloutDeviceRow.progress == DeviceProgress.WAITING,
            RolloutDeviceRow.device.in_(observing.members_of(row.group)),  # one may have left since the look
        )
        if zones is not None:
            query = query.join(DeviceRow, DeviceRow.name == RolloutDeviceRow.device)
            query = query.where(DeviceRow.time_zone.in_(zones))
        query = query.order_by(RolloutDeviceRow.wave, RolloutDeviceRow.place, RolloutDeviceRow.device).limit(count)
        chosen = session.execute(query).all()
        for again in (False, True):
            devices = [device for device, before, _ in chosen if before is again]
            if devices:
                self._assignments.assign_many(session, devices, row.group, row.number, again=again)
        restarts = select(DeviceRow.restarts).where(DeviceRow.name == RolloutDeviceRow.device).scalar_subquery()
        told = {"progress": DeviceProgress.NOTIFIED, "told_at": at, "again": False, "restarts": restarts}
        _set(session, row, [device for device, _, _ in chosen], **told)
        return Counter(wave for _, _, wave in chosen)

    def send_back(self, session: Session, row: RolloutRow, count: int, at: str) -> None:
        """Give `count` devices that were told the document of the deployment that worked before."""
        query = select(RolloutDeviceRow.device).where(RolloutDeviceRow.rollout == row.number, store.has_it())
        query = query.order_by(RolloutDeviceRow.place, RolloutDeviceRow.device).limit(count)
        devices = session.scalars(query).all()
        good = store.last_good(session, row.group, before=row.number)
        self._assignments.assign_many(session, devices, row.group, good)
        _set(session, row, devices, back=False, told_at=at)

    def try_again(self, session: Session, row: RolloutRow) -> None:
        """Let every failed device wait to be told once more."""
        failed = and_(RolloutDeviceRow.rollout == row.number, RolloutDeviceRow.progress == DeviceProgress.FAILED)
        values = {"progress": DeviceProgress.WAITING, "again": True, "told_at": None, "error": None}
        session.execute(update(RolloutDeviceRow).where(failed).values(values), execution_options=_QUIET)


def _set(session: Session, row: RolloutRow, devices: Sequence[str], **values: Any) -> None:
    change = update(RolloutDeviceRow).where(RolloutDeviceRow.rollout == row.number)
    change = change.where(among(RolloutDeviceRow.device, devices))
    session.execute(change.values(values), execution_options=_QUIET)
