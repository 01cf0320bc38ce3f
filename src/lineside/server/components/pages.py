"""Pages of the components room: what can be deployed, and one version with recipe, signatures and devices."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from lineside.contract.ids import canonical
from lineside.contract.recipes.builtin import VERSIONS
from lineside.server.components.own import OwnComponents
from lineside.server.components.service import Components
from lineside.server.database import Database
from lineside.server.web.render import AnyRequest, Page, page

_SHOWN = 100


@get("/components", sync_to_thread=True, include_in_schema=False)
def components_page(
    request: AnyRequest,
    component_versions: NamedDependency[Components],
    database: NamedDependency[Database],
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
) -> Page:
    """Component versions, newest first, a hundred at a time."""
    with database.read() as session:
        found = component_versions.page(session, None, offset, _SHOWN)
    return page(
        request,
        "components/list.html",
        here="/components",
        live=not offset,
        found=found,
        limit=_SHOWN,
        builtin=sorted(VERSIONS.items()),
    )


@get("/components/{name:str}/{version:str}", sync_to_thread=True, include_in_schema=False)
def component_page(
    request: AnyRequest,
    name: FromPath[str],
    version: FromPath[str],
    own_components: NamedDependency[OwnComponents],
    database: NamedDependency[Database],
) -> Page:
    """One component version."""
    with database.read() as session:
        details = own_components.details(session, name, version)
    recipe = msgspec.json.format(canonical(details.recipe)).decode()
    return page(request, "components/page.html", here="/components", live=True, details=details, recipe=recipe)


routes = [components_page, component_page]
