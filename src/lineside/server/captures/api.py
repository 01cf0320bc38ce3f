"""People's API of the captures room."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from lineside.contract.capture import Capture, CaptureFilter, CapturePage
from lineside.server.captures.records import lines
from lineside.server.captures.service import CapturesService

_JSON_LINES = "application/x-ndjson"


@get("/captures", sync_to_thread=True, summary="Uploaded captures, newest first")
def list_captures(
    captures: NamedDependency[CapturesService],
    device: FromQuery[str | None] = None,
    strategy: FromQuery[str | None] = None,
    model: FromQuery[str | None] = None,
    request_id: Annotated[str | None, QueryParameter(name="request")] = None,
    since: FromQuery[str | None] = None,
    until: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> CapturePage:
    """The image of a capture is the blob `record.digest`. `before` is the `next` of the page before; `since` and
    `until` are times of arrival (RFC 3339)."""
    which = CaptureFilter(device=device, strategy=strategy, model=model, request=request_id, since=since, until=until)
    return captures.page(which, offset, limit, before)


@get("/captures/{capture:str}", sync_to_thread=True, summary="One capture")
def get_capture(capture: FromPath[str], captures: NamedDependency[CapturesService]) -> Capture:
    return captures.get(capture)


@get("/captures/export", sync_to_thread=True, media_type=_JSON_LINES, summary="Capture records as JSON lines")
def export_captures(
    captures: NamedDependency[CapturesService],
    device: FromQuery[str | None] = None,
    strategy: FromQuery[str | None] = None,
    model: FromQuery[str | None] = None,
    request_id: Annotated[str | None, QueryParameter(name="request")] = None,
    since: FromQuery[str | None] = None,
    until: FromQuery[str | None] = None,
) -> Stream:
    """All that `GET /captures` finds, newest first, one record a line, as its device made it (`lineside.capture/1`)."""
    which = CaptureFilter(device=device, strategy=strategy, model=model, request=request_id, since=since, until=until)
    captures.page(which, 0, 1)  # what cannot be asked is refused before anything is sent
    headers = {"Content-Disposition": 'attachment; filename="captures.jsonl"'}
    return Stream(lines(captures, which), headers=headers, media_type=_JSON_LINES)


routes = [list_captures, export_captures, get_capture]
