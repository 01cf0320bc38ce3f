"""What loops ask of the field: the port is `learning.signals.Signals`."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineside.contract.drift_alarm import AlarmState, DriftScope
from lineside.contract.field_accuracy import ENOUGH_PICTURES
from lineside.server.clock import rfc3339
from lineside.server.drift.field import FieldAccuracies
from lineside.server.drift.judging import where
from lineside.server.drift.store import AlarmRow, StreamRow, in_state
from lineside.server.learning.signals import FieldAccuracy
from lineside.server.review.reading import reviewed
from lineside.server.services import Core

_NAMED = 3  # alarms that a sentence names


class FieldSignals:
    """Reviews, alarms of drift and field accuracy, as triggers see them."""

    def __init__(self, core: Core, field: FieldAccuracies) -> None:
        self._core, self._field = core, field

    def reviewed(self, session: Session, model: str, since: str) -> int:
        """Of every strategy: each teaches."""
        return sum(reviewed(session, since, model).values())

    def drift(self, session: Session, model: str) -> str:
        """Alarms that nobody has muted, whether or not somebody has seen them."""
        now = rfc3339(self._core.clock.now())
        heard = in_state(AlarmState.RAISED, now) | in_state(AlarmState.ACKNOWLEDGED, now)
        query = select(AlarmRow).where(AlarmRow.model == model, heard).order_by(AlarmRow.number)
        alarms = list(session.scalars(query.limit(_NAMED + 1)))
        said = [f"{', '.join(sorted(one.quantities))} on {where(one)}" for one in alarms[:_NAMED]]
        return "; ".join(said) + (" and elsewhere" if len(alarms) > _NAMED else "")

    def field_accuracy(self, session: Session, model: str) -> FieldAccuracy:
        """Of the version that a device told of drift by last; of the newest one with reviews, when none does."""
        found = {one.version: one for one in self._field.within(session, model)}
        mine = (StreamRow.model == model, StreamRow.scope == DriftScope.DEVICE.value)
        last = session.scalar(select(StreamRow.version).where(*mine).order_by(StreamRow.last_at.desc()).limit(1))
        version = last if last is not None else max(found, default=0)
        one = found.get(version)
        if one is None:
            return FieldAccuracy(None, 0, ENOUGH_PICTURES)
        return FieldAccuracy(one.accuracy.value if one.accuracy else None, one.pictures, one.enough)
