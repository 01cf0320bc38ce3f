"""The webhooks room as the app sees it."""

from __future__ import annotations

from lineside.server.services import Core, Loop, Room
from lineside.server.webhooks import api, pages
from lineside.server.webhooks.loop import WebhooksLoop
from lineside.server.webhooks.service import Webhooks


def room(core: Core) -> Room:
    """Webhooks; receivers are told about a second after something happened."""
    webhooks = Webhooks(core)
    loop = Loop("webhooks", WebhooksLoop(core, webhooks).step, seconds=1.0)
    return Room(services={"webhooks": webhooks}, people=api.routes, pages=pages.routes, loops=(loop,))
