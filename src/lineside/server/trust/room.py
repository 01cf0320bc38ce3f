"""The trust room as the app sees it."""

from __future__ import annotations

from lineside.server.adapters.tuf import keep_copy
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
        loops=(
            Loop("proposals", proposals.settle, seconds=60.0),
            Loop("metadata", lambda: _keep_own(core, proposals), seconds=10.0, everywhere=True),
        ),
    )


def _keep_own(core: Core, proposals: Proposals) -> None:
    """What lies in this control plane's own root: a copy of shared metadata, and no key that others took over."""
    if core.database.shared:
        keep_copy(core.shelf, core.root / "tuf")
        proposals.repository.forget_taken_over()
