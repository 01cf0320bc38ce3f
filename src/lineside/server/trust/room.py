"""The trust room as the app sees it."""

from __future__ import annotations

from lineside.server.services import Core, Loop, Room
from lineside.server.trust import api, pages
from lineside.server.trust.service import Proposals
from lineside.server.trust.view import TrustPage


def room(core: Core) -> Room:
    """Keys and proposals. Whoever must know of a published proposal adds itself to `Proposals.listeners`."""
    proposals = Proposals(core)
    return Room(
        services={"proposals": proposals, "trust_page": TrustPage(core, proposals)},
        people=api.routes,
        pages=pages.routes,
        loops=(Loop("proposals", proposals.settle, seconds=60.0),),
    )
