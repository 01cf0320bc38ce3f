"""The datasets room as the app sees it."""

from __future__ import annotations

from lineside.server.datasets import api, exports_api, inspecting_api, pages
from lineside.server.datasets.fields import FieldSets
from lineside.server.datasets.inspecting import Inspections
from lineside.server.datasets.pictures import thumbnails
from lineside.server.datasets.service import DatasetsService
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Dataset versions, what can be found out about them, field sets."""
    datasets = DatasetsService(core)
    services = {
        "datasets": datasets,
        "inspections": Inspections(core, datasets),
        "field_sets": FieldSets(core, datasets),
    }
    people = [*api.routes, *exports_api.routes, *inspecting_api.routes]
    return Room(services=services, people=people, pages=[*pages.routes, *thumbnails.routes])
