"""People's API of the captures room."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from lineside.contract.capture import Capture, CapturePage
from lineside.server.captures.service import CapturesService


@get("/captures", sync_to_thread=True, summary="Uploaded captures, newest first")
def list_captures(
    captures: NamedDependency[CapturesService],
    device: FromQuery[str | None] = None,
    strategy: FromQuery[str | None] = None,
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> CapturePage:
    """The image of a capture is the blob `record.digest`."""
    return captures.page(device, strategy, offset, limit)


@get("/captures/{capture:str}", sync_to_thread=True, summary="One capture")
def get_capture(capture: FromPath[str], captures: NamedDependency[CapturesService]) -> Capture:
    return captures.get(capture)


routes = [list_captures, get_capture]
