"""People's API of the components room."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.component import AddComponent, Component, ComponentDetails, ComponentPage
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.components.own import OwnComponents
from lineside.server.components.service import Components
from lineside.server.database import Database


@get("/components", sync_to_thread=True, summary="Component versions, newest first")
def list_components(
    component_versions: NamedDependency[Components],
    database: NamedDependency[Database],
    name: FromQuery[str | None] = None,
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> ComponentPage:
    """All, or those of one name. `target` is set once a component is released."""
    with database.read() as session:
        return component_versions.page(session, name, offset, limit)


@post(
    "/components",
    sync_to_thread=True,
    status_code=200,
    summary="Add a component version of one's own",
    opt=needs(Permission.OPERATE),
)
def add_component(
    data: JSONBody[AddComponent],
    own_components: NamedDependency[OwnComponents],
    database: NamedDependency[Database],
) -> Component:
    """Its artifacts are sent as blobs first. The same content again is the version that is there."""
    ready = own_components.prepare(data)
    with database.write() as session:
        return own_components.add(session, ready, stage=data.stage)


@get("/components/{name:str}/{version:str}", sync_to_thread=True, summary="One component version")
def get_component(
    name: FromPath[str],
    version: FromPath[str],
    own_components: NamedDependency[OwnComponents],
    database: NamedDependency[Database],
) -> ComponentDetails:
    """With its recipe, who signed it, and the devices that run it."""
    with database.read() as session:
        return own_components.details(session, name, version)


routes = [list_components, add_component, get_component]
