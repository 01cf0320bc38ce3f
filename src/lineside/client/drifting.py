"""Operations of people's API about drift, and about what models are worth in the field."""

from __future__ import annotations

from lineside.client.calls import Calls
from lineside.client.connection import path
from lineside.contract.drift_alarm import (
    AlarmAnswer,
    AlarmPage,
    AlarmShown,
    AlarmState,
    DriftAlarm,
    DriftCurves,
    DriftPage,
    DriftScope,
    DriftStream,
    Rebase,
)
from lineside.contract.field_accuracy import FieldAccuracy


class Drifting(Calls):
    """Alarms of drift, what is watched, field accuracy."""

    def drift_alarms(
        self,
        *,
        state: AlarmState | None = None,
        device: str | None = None,
        cleared: bool = False,
        before: int | None = None,
        limit: int = 100,
    ) -> AlarmPage:
        """Alarms, newest first: those that are not over, with `cleared` all; `before` is `next` of the page before."""
        query = {
            "state": None if state is None else state.value,
            "device": device,
            "cleared": "true" if cleared else None,
            "before": before,
            "limit": limit,
        }
        return self.connection.call("GET", "/drift/alarms", AlarmPage, query=query)

    def drift_alarm(self, number: int) -> AlarmShown:
        """One alarm, with captures that show it."""
        return self.connection.call("GET", path("drift", "alarms", str(number)), AlarmShown)

    def acknowledge_drift(self, number: int, why: str = "") -> DriftAlarm:
        """Say that an alarm has been seen."""
        return self._answer(number, "acknowledge", AlarmAnswer(why=why))

    def mute_drift(self, number: int, hours: float = 24.0, why: str = "") -> DriftAlarm:
        """Hear nothing of an alarm, and of its source, for so many hours; 0 ends that."""
        return self._answer(number, "mute", AlarmAnswer(why=why, hours=hours))

    def rebase_drift(self, stream: str, why: str = "") -> DriftStream:
        """Make the last week of a stream what is usual there."""
        return self.connection.call("POST", "/drift/rebase", DriftStream, body=Rebase(stream=stream, why=why))

    def drift_streams(
        self,
        *,
        scope: DriftScope | None = None,
        name: str | None = None,
        group: str | None = None,
        after: str = "",
        limit: int = 100,
    ) -> DriftPage:
        """What is watched: all, of a device or group by its name, or of the devices of a group."""
        query = {
            "scope": None if scope is None else scope.value,
            "name": name,
            "group": group,
            "after": after or None,
            "limit": limit,
        }
        return self.connection.call("GET", "/drift/streams", DriftPage, query=query)

    def drift_curves(self, stream: str, *, days: float = 2.0) -> DriftCurves:
        """How far a stream was from what is usual, over its last days."""
        return self.connection.call("GET", path("drift", "streams", stream), DriftCurves, query={"days": days})

    def field_accuracy(
        self, *, model: str | None = None, group: str | None = None, device: str | None = None, days: int = 30
    ) -> list[FieldAccuracy]:
        """What models are worth in the field, by reviews of the random sample; `model`: NAME or NAME:VERSION."""
        query = {"model": model, "group": group, "device": device, "days": days}
        return self.connection.call("GET", "/field-accuracy", list[FieldAccuracy], query=query)

    def _answer(self, number: int, verb: str, answer: AlarmAnswer) -> DriftAlarm:
        where = path("drift", "alarms", str(number), verb)
        return self.connection.call("POST", where, DriftAlarm, body=answer)
