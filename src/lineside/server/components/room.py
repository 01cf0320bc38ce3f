"""The components room as the app sees it."""

from __future__ import annotations

from lineside.server.components import api, device_api, pages
from lineside.server.components.downloads import Downloads
from lineside.server.components.own import OwnComponents
from lineside.server.components.service import Components
from lineside.server.devices.desired import DesiredDocuments
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Components for people, and what devices download. `Components.release` signs what a person approves."""
    components = Components(core)
    downloads = Downloads(core, components, DesiredDocuments(core))
    return Room(  # not "components": Litestar takes an error in a body's field of a dependency's name for its own
        services={
            "component_versions": components,
            "own_components": OwnComponents(core, components),
            "downloads": downloads,
        },
        people=api.routes,
        pages=pages.routes,
        devices=device_api.routes,
    )
