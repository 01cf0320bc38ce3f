"""The review room as the app sees it."""

from __future__ import annotations

from lineside.server.datasets.pictures.looks import Looks
from lineside.server.review import api, exchange_api, making_api, pages
from lineside.server.review.exchange import Exchange
from lineside.server.review.making import Making
from lineside.server.review.rules import Rules
from lineside.server.review.service import ReviewService
from lineside.server.services import Core, Loop, Room


def room(core: Core) -> Room:
    """Reviews of captures. Uploads come into the queue every two seconds; rules are looked at every five."""
    reviews = ReviewService(core, Looks(core.database, core.objects))

    def take_in() -> None:
        reviews.intake.step()

    making = Making(core)
    rules = Rules(core, making)
    return Room(
        services={
            "reviews": reviews,
            "review_making": making,
            "review_rules": rules,
            "review_exchange": Exchange(core, reviews),
        },
        people=[*api.routes, *making_api.routes, *exchange_api.routes],
        pages=pages.routes,
        loops=[Loop("reviews", take_in, seconds=2.0), Loop("review-rules", rules.step, seconds=5.0)],
    )
