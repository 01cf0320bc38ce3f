"""People's API of drift."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

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
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.drift.answering import DriftAnswers
from lineside.server.drift.field import MOST_DAYS, FieldAccuracies
from lineside.server.drift.looking import DriftLooks

_Name = Annotated[str | None, QueryParameter(max_length=64)]
_Limit = Annotated[int, QueryParameter(ge=1, le=1000)]


@get("/drift/alarms", sync_to_thread=True, summary="Alarms of drift, newest first")
def list_drift_alarms(
    drift_looks: NamedDependency[DriftLooks],
    alarm_state: Annotated[AlarmState | None, QueryParameter(name="state")] = None,
    device: _Name = None,
    cleared: FromQuery[bool] = False,
    before: Annotated[int | None, QueryParameter(ge=0, le=2**31 - 1)] = None,
    limit: _Limit = 100,
) -> AlarmPage:
    """Those that are not over, and with `cleared` all; of one state or device when given."""
    with_cleared = cleared or alarm_state is AlarmState.CLEARED
    return drift_looks.alarms(alarm_state, device, cleared=with_cleared, before=before, limit=limit)


@get("/drift/alarms/{number:int}", sync_to_thread=True, summary="One alarm, with captures that show it")
def get_drift_alarm(number: FromPath[int], drift_looks: NamedDependency[DriftLooks]) -> AlarmShown:
    """Its quantities with their distances, hints at causes, and what people said."""
    return drift_looks.alarm(number)


@post(
    "/drift/alarms/{number:int}/acknowledge",
    sync_to_thread=True,
    status_code=200,
    summary="Say that an alarm of drift has been seen",
    opt=needs(Permission.OPERATE),
)
def acknowledge_drift(
    number: FromPath[int], data: JSONBody[AlarmAnswer], drift_answers: NamedDependency[DriftAnswers]
) -> DriftAlarm:
    """It ends by itself, when its windows are near again."""
    return drift_answers.acknowledge(number, data.why)


@post(
    "/drift/alarms/{number:int}/mute",
    sync_to_thread=True,
    status_code=200,
    summary="Hear nothing of an alarm of drift for a while",
    opt=needs(Permission.OPERATE),
)
def mute_drift(
    number: FromPath[int], data: JSONBody[AlarmAnswer], drift_answers: NamedDependency[DriftAnswers]
) -> DriftAlarm:
    """Nor of its source; 0 hours end that. A muted alarm starts no run."""
    return drift_answers.mute(number, data.hours, data.why)


@post(
    "/drift/rebase",
    sync_to_thread=True,
    status_code=200,
    summary="Make the last week of a source, group or the fleet what is usual there",
    opt=needs(Permission.OPERATE),
)
def rebase_drift(data: JSONBody[Rebase], drift_answers: NamedDependency[DriftAnswers]) -> DriftStream:
    """`drift.few_windows` where too few days are known."""
    return drift_answers.rebase(data.stream, data.why)


@get("/drift/streams", sync_to_thread=True, summary="What is watched for drift")
def list_drift_streams(
    drift_looks: NamedDependency[DriftLooks],
    of: Annotated[DriftScope | None, QueryParameter(name="scope")] = None,
    name: _Name = None,
    group: _Name = None,
    after: Annotated[str, QueryParameter(max_length=200)] = "",
    limit: _Limit = 100,
) -> DriftPage:
    """Sources of devices, groups and the fleet, those with an alarm first; with the last window's distances."""
    return drift_looks.streams(of, name, group, after, limit)


@get("/drift/streams/{stream:str}", sync_to_thread=True, summary="How far a source was from what is usual, over time")
def get_drift_curves(
    stream: FromPath[str],
    drift_looks: NamedDependency[DriftLooks],
    days: Annotated[float, QueryParameter(gt=0, le=8)] = 2.0,
) -> DriftCurves:
    """By quantity: the shift of each window in spreads, and its limit."""
    return drift_looks.curves(stream, days)


@get("/field-accuracy", sync_to_thread=True, summary="What models are worth in the field")
def list_field_accuracy(
    field_accuracies: NamedDependency[FieldAccuracies],
    model: Annotated[str | None, QueryParameter(max_length=80)] = None,
    group: _Name = None,
    device: _Name = None,
    days: Annotated[int, QueryParameter(ge=1, le=MOST_DAYS)] = 30,
) -> list[FieldAccuracy]:
    """By model version, from reviews of the random sample alone, with 95 % intervals; newest version first. `model`
    is a name or NAME:VERSION."""
    return field_accuracies.of(model, group, device, days)


routes = [
    list_drift_alarms,
    get_drift_alarm,
    acknowledge_drift,
    mute_drift,
    rebase_drift,
    list_drift_streams,
    get_drift_curves,
    list_field_accuracy,
]
