"""The review room as the app sees it."""

from __future__ import annotations

import lineside.server.review.store  # noqa: F401 its tables
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Reviews of captures."""
    return Room()
