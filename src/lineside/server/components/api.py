"""People's API of the components room."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from lineside.contract.component import Component
from lineside.server.components.service import Components
from lineside.server.database import Database


@get("/components", sync_to_thread=True, summary="All component versions, newest first")
def list_components(
    component_versions: NamedDependency[Components], database: NamedDependency[Database]
) -> list[Component]:
    """`target` is set once a component is released."""
    with database.read() as session:
        return component_versions.all(session)


routes = [list_components]
