"""Pages of drift: the fleet, one stream over time, one alarm with what shows it, a part of a device's page."""

from __future__ import annotations

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.drift_alarm import AlarmState, DriftScope
from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.drift import drawing
from lineside.server.drift.answering import DriftAnswers
from lineside.server.drift.field import FieldAccuracies
from lineside.server.drift.looking import DriftLooks
from lineside.server.web.render import AnyRequest, Page, fragment, page, see

_A_PAGE, _ALARMS, _DRAWN = 50, 50, 8
_OPERATE = needs(Permission.OPERATE)


class AnswerForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says to an alarm or a stream."""

    why: str = ""
    hours: str = "24"


@get("/drift", sync_to_thread=True, include_in_schema=False)
def drift_page(
    request: AnyRequest,
    drift_looks: NamedDependency[DriftLooks],
    field_accuracies: NamedDependency[FieldAccuracies],
    group: FromQuery[str] = "",
    after: FromQuery[str] = "",
) -> Page:
    """What is held, field accuracy, groups and the fleet as curves, and every source by how far it is."""
    wide = [
        *drift_looks.streams(DriftScope.FLEET, limit=_DRAWN).streams,
        *drift_looks.streams(DriftScope.GROUP, name=group[:64] or None, limit=_DRAWN).streams,
    ]
    curves = [drift_looks.curves(one.id, days=7.9) for one in wide if one.windows]
    sources = drift_looks.streams(DriftScope.DEVICE, group=group[:64] or None, after=after[:200], limit=_A_PAGE)
    return page(
        request,
        "drift/list.html",
        here="/drift",
        alarms=drift_looks.alarms(cleared=False, limit=_ALARMS),
        over=drift_looks.alarms(AlarmState.CLEARED, limit=_ALARMS).alarms,
        drawn=[(one.stream, drawing.smalls(one.curves, one.stream.held)) for one in curves],
        sources=sources,
        farthest=drawing.farthest,
        field=field_accuracies.of(group=group[:64] or None),
        group=group,
        after=after,
        drawing=drawing,
    )


@get("/drift/streams/{stream:str}", sync_to_thread=True, include_in_schema=False)
def stream_page(request: AnyRequest, stream: FromPath[str], drift_looks: NamedDependency[DriftLooks]) -> Page:
    """One source, group or fleet over the last week."""
    found = drift_looks.curves(stream, days=7.9)
    smalls = drawing.smalls(found.curves, found.stream.held)
    return page(
        request, "drift/stream.html", here="/drift", live=True, stream=found.stream, smalls=smalls, drawing=drawing
    )


@get("/drift/alarms/{number:int}", sync_to_thread=True, include_in_schema=False)
def alarm_page(request: AnyRequest, number: FromPath[int], drift_looks: NamedDependency[DriftLooks]) -> Page:
    """One alarm with its curves and the captures that show it."""
    shown = drift_looks.alarm(number)
    try:
        curves = drift_looks.curves(shown.alarm.stream).curves
    except LinesideError:
        curves = {}  # forgotten since
    mine = {name: points for name, points in curves.items() if name in shown.alarm.quantities}
    smalls = drawing.smalls(mine, {})
    return page(request, "drift/alarm.html", here="/drift", shown=shown, smalls=smalls, drawing=drawing)


@get("/devices/{name:str}/drift", sync_to_thread=True, include_in_schema=False)
def device_drift(name: FromPath[str], drift_looks: NamedDependency[DriftLooks]) -> Page:
    """How far what a device sees and says is from what is usual there, as a part of its page."""
    streams = drift_looks.streams(DriftScope.DEVICE, name, limit=_DRAWN).streams
    found = [drift_looks.curves(one.id) for one in streams]
    drawn = [(one.stream, drawing.smalls(one.curves, one.stream.held)) for one in found]
    return fragment("drift/device.html", drawn=drawn, drawing=drawing)


@post("/drift/alarms/{number:int}/acknowledge", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def acknowledge_page(
    number: FromPath[int], data: URLEncodedBody[AnswerForm], drift_answers: NamedDependency[DriftAnswers]
) -> Redirect:
    """It has been seen."""
    drift_answers.acknowledge(number, data.why)
    return see(f"/drift/alarms/{number}")


@post("/drift/alarms/{number:int}/mute", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def mute_page(
    number: FromPath[int], data: URLEncodedBody[AnswerForm], drift_answers: NamedDependency[DriftAnswers]
) -> Redirect:
    """Not to be heard of for a while."""
    try:
        hours = float(data.hours)
    except ValueError as error:
        raise LinesideError("request.invalid", why=error) from error
    drift_answers.mute(number, hours, data.why)
    return see(f"/drift/alarms/{number}")


@post("/drift/streams/{stream:str}/rebase", sync_to_thread=True, include_in_schema=False, opt=_OPERATE)
def rebase_page(
    stream: FromPath[str], data: URLEncodedBody[AnswerForm], drift_answers: NamedDependency[DriftAnswers]
) -> Redirect:
    """Its last week is what is usual from now on."""
    drift_answers.rebase(stream, data.why)
    return see(f"/drift/streams/{stream}")


routes = [
    drift_page,
    stream_page,
    alarm_page,
    device_drift,
    acknowledge_page,
    mute_page,
    rebase_page,
]
