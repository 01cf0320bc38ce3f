"""The review room as the app sees it."""

from __future__ import annotations

from lineside.server.datasets.looks import Looks
from lineside.server.review import api
from lineside.server.review.service import ReviewService
from lineside.server.services import Core, Loop, Room


def room(core: Core) -> Room:
    """Reviews of captures. Uploads come into the queue every two seconds."""
    reviews = ReviewService(core, Looks(core.database, core.objects))

    def take_in() -> None:
        reviews.intake.step()

    return Room(services={"reviews": reviews}, people=api.routes, loops=[Loop("reviews", take_in, seconds=2.0)])
