"""Pages of the captures room: what devices kept, and why."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from lineside.contract.capture import CaptureFilter
from lineside.server.captures.service import CapturesService
from lineside.server.web.render import AnyRequest, Page, page

_A_PAGE = 48


@get("/captures", sync_to_thread=True, include_in_schema=False)
def captures_page(
    request: AnyRequest,
    captures: NamedDependency[CapturesService],
    strategy: FromQuery[str] = "",
    offset: Annotated[int, QueryParameter(ge=0, le=1 << 40)] = 0,
) -> Page:
    """Uploaded captures, newest first, of every strategy or one."""
    return page(
        request,
        "captures/list.html",
        here="/captures",
        live=offset == 0,
        page=captures.page(CaptureFilter(strategy=strategy or None), offset, _A_PAGE),
        strategies=sorted(captures.counts()),
        strategy=strategy,
        offset=offset,
        limit=_A_PAGE,
    )


routes = [captures_page]
