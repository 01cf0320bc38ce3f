"""The page that answers for one result."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, PathParameter

from lineside.server.lineage.service import LineageService
from lineside.server.web.render import AnyRequest, Page, page

_TEMPLATE = "lineage/page.html"


@get("/lineage/{result_id:int}", sync_to_thread=True, include_in_schema=False)
def lineage_page(
    request: AnyRequest,
    result_id: Annotated[int, PathParameter(ge=1, le=2**53)],
    lineage: NamedDependency[LineageService],
) -> Page:
    """From the images to the decision, at a glance."""
    return page(request, _TEMPLATE, here="/devices", lineage=lineage.of_result(result_id))


@get("/captures/{capture:str}/lineage", sync_to_thread=True, include_in_schema=False)
def capture_lineage_page(request: AnyRequest, capture: FromPath[str], lineage: NamedDependency[LineageService]) -> Page:
    """The same for the result that came with a capture."""
    return page(request, _TEMPLATE, here="/captures", lineage=lineage.of_capture(capture))


routes = [lineage_page, capture_lineage_page]
