"""The devices room as the app sees it."""

from __future__ import annotations

from lineside.server.access.ca import open_ca
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.access.tokens import AccessTokens
from lineside.server.devices import api, ask_pages, device_api, pages
from lineside.server.devices.inquiries import Inquiries
from lineside.server.devices.reports import Reports
from lineside.server.devices.service import Devices
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Devices, their desired documents and their reports."""
    ca = open_ca(core.keys, core.clock.now())
    join_tokens = JoinTokens(core, ca.sha256)
    devices = Devices(core, ca, join_tokens, AccessTokens(core))
    return Room(
        services={
            "devices": devices,
            "join_tokens": join_tokens,
            "reports": Reports(core),
            "inquiries": Inquiries(core),
        },
        people=api.routes,
        pages=[*pages.routes, *ask_pages.routes],
        devices=device_api.routes,
    )
