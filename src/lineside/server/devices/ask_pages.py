"""The parts of a device's page that ask the device: its logs as they come, and its diagnosis.

Each answer is a piece of HTML that ends with an element which asks for the next piece and is replaced by it.
"""

from __future__ import annotations

import base64
from functools import partial

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.inquiry import MAX_LINES, InquiryAnswer, InquiryKind, InquiryRequest
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.devices.inquiries import Inquiries
from lineside.server.web.render import Page, fragment

asking = partial(post, sync_to_thread=True, status_code=200, include_in_schema=False, opt=needs(Permission.OPERATE))
"""A form by which operators ask a device; the answer is a part of its page."""


class LiveForm(msgspec.Struct, frozen=True, kw_only=True):
    """Whose pictures are asked for."""

    component: str = ""


_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class LogForm(msgspec.Struct, frozen=True, kw_only=True):
    """Which log is asked for; without a component the agent's own."""

    component: str = ""
    lines: int = 200
    follow: bool = False


@asking("/devices/{name:str}/logs")
def ask_log(name: FromPath[str], data: URLEncodedBody[LogForm], inquiries: NamedDependency[Inquiries]) -> Page:
    """Ask for a log; the panel in which it appears."""
    request = InquiryRequest(
        kind=InquiryKind.LOGS,
        component=data.component or None,
        lines=min(max(1, data.lines), MAX_LINES),
        follow=data.follow,
    )
    return _asked(name, request, inquiries)


@asking("/devices/{name:str}/diagnosis")
def ask_diagnosis(name: FromPath[str], inquiries: NamedDependency[Inquiries]) -> Page:
    """Ask for a diagnosis; the list in which each check appears."""
    return _asked(name, InquiryRequest(kind=InquiryKind.DIAGNOSE), inquiries)


@asking("/devices/{name:str}/live")
def ask_pictures(name: FromPath[str], data: URLEncodedBody[LiveForm], inquiries: NamedDependency[Inquiries]) -> Page:
    """Ask for what a component sees, as long as somebody looks; the audit trail says who asked."""
    request = InquiryRequest(kind=InquiryKind.PICTURE, component=data.component or None, follow=True)
    return _asked(name, request, inquiries)


@get("/devices/{name:str}/answers/{inquiry:str}", sync_to_thread=True, include_in_schema=False)
def next_parts(
    name: FromPath[str], inquiry: FromPath[str], inquiries: NamedDependency[Inquiries], after: FromQuery[int] = -1
) -> Page:
    """What has come since, and the element that asks again unless that was all."""
    try:
        answer = inquiries.answer(name, inquiry, after)
        if answer.request.kind is InquiryKind.PICTURE:
            answer = inquiries.answer(name, inquiry)  # the newest goes on being shown until a newer one comes
    except LinesideError as error:
        return fragment("devices/asked.html", device=name, answer=None, error=error.report())
    return _shown(answer, "devices/answer.html", after)


@post(
    "/devices/{name:str}/answers/{inquiry:str}/end",
    sync_to_thread=True,
    status_code=204,
    include_in_schema=False,
    opt=needs(Permission.OPERATE),
)
def end_answer(name: FromPath[str], inquiry: FromPath[str], inquiries: NamedDependency[Inquiries]) -> None:
    """Nobody wants to see more of it."""
    inquiries.end(name, inquiry)


def _asked(device: str, request: InquiryRequest, inquiries: Inquiries) -> Page:
    try:
        inquiry = inquiries.ask(device, request)
    except LinesideError as error:
        return fragment("devices/asked.html", device=device, answer=None, error=error.report())
    return _shown(inquiries.answer(device, inquiry.id), "devices/asked.html", -1)


def _shown(answer: InquiryAnswer, template: str, after: int) -> Page:
    last = answer.parts[-1].number if answer.parts else after
    text = "".join(part.text for part in answer.parts).translate(_CONTROL)
    picture = next((part.picture for part in reversed(answer.parts) if part.picture is not None), None)
    src = "" if picture is None else f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}"
    return fragment(
        template,
        device=answer.device,
        answer=answer,
        text=text,
        last=last,
        error=_error(answer, last),
        picture=picture,
        src=src,
    )


def _error(answer: InquiryAnswer, last: int) -> ErrorReport | None:
    """What went wrong: by the device's own word, or because it fell silent."""
    said = next((part.error for part in answer.parts if part.error is not None), None)
    if said is None and answer.expired:
        code = "inquiry.no_answer" if last < 0 else "inquiry.cut_off"
        said = LinesideError(code, device=answer.device, seconds=answer.request.ttl_seconds).report()
    return said


routes = [ask_pictures, ask_log, ask_diagnosis, next_parts, end_answer]
