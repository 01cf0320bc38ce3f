"""Pages of loops."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from lineside.server.learning.service import Loops
from lineside.server.web.render import AnyRequest, Page, page


@get("/loops", sync_to_thread=True, include_in_schema=False)
def loops_page(request: AnyRequest, loops: NamedDependency[Loops]) -> Page:
    """Every loop: what starts it, and what it did last."""
    return page(request, "loops/list.html", here="/loops", live=True, loops=loops.all())


routes = [loops_page]
