"""People's API of reviews."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission
from lineside.contract.review import (
    Answer,
    Batch,
    NextRequest,
    ReviewItem,
    ReviewPage,
    ReviewPolicy,
    ReviewState,
    ReviewStats,
)
from lineside.server.access.permissions import needs
from lineside.server.review.queue import Wanted
from lineside.server.review.service import ReviewService

_MOST = 100  # captures in one batch


@get("/review", sync_to_thread=True, summary="Captures in review, those whose turn is next first")
def list_reviews(
    reviews: NamedDependency[ReviewService],
    stands: FromQuery[ReviewState | None] = None,
    strategy: FromQuery[str | None] = None,
    device: FromQuery[str | None] = None,
    model: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> ReviewPage:
    """Those that stand as asked (waiting) and pass all filters; `after` comes from the page before."""
    wanted = Wanted(strategy=strategy, device=device, model=model)
    return reviews.page(stands or ReviewState.WAITING, wanted, after, limit)


@post(
    "/review/next",
    sync_to_thread=True,
    status_code=200,
    summary="Lease captures to review",
    opt=needs(Permission.OPERATE),
)
def next_reviews(data: JSONBody[NextRequest], reviews: NamedDependency[ReviewService]) -> Batch:
    """Nobody else is given them until the lease ends (unless the policy wants two answers). What the caller has leased
    already comes first."""
    if not 1 <= data.count <= _MOST:
        raise LinesideError("request.invalid", why=f"1 to {_MOST} captures in one batch")
    return reviews.next(data)


@post(
    "/review/answers",
    sync_to_thread=True,
    status_code=200,
    summary="Answer on a capture",
    opt=needs(Permission.OPERATE),
)
def answer_review(
    data: JSONBody[Answer], reviews: NamedDependency[ReviewService], tool: FromQuery[str] = ""
) -> ReviewItem:
    """accept, correct (with all boxes), nothing, unsure, skip. Boxes in pixels of the upright picture."""
    return reviews.answer(data, tool[:32])


@post(
    "/review/undo",
    sync_to_thread=True,
    status_code=200,
    summary="Take the caller's last answer back",
    opt=needs(Permission.OPERATE),
)
def undo_review(reviews: NamedDependency[ReviewService]) -> ReviewItem:
    """The capture stands where it stood before, and the caller has it leased."""
    return reviews.undo()


@get("/review/stats", sync_to_thread=True, summary="How many captures stand where, and who answered how many")
def review_stats(reviews: NamedDependency[ReviewService]) -> ReviewStats:
    return reviews.stats()


@get("/review/policy", sync_to_thread=True, summary="How captures are reviewed")
def review_policy(reviews: NamedDependency[ReviewService]) -> ReviewPolicy:
    return reviews.policy()


@post(
    "/review/policy",
    sync_to_thread=True,
    status_code=200,
    summary="Change how captures are reviewed",
    opt=needs(Permission.OPERATE),
)
def set_review_policy(data: JSONBody[ReviewPolicy], reviews: NamedDependency[ReviewService]) -> ReviewPolicy:
    """From the next answer on; a capture that waits for a second person goes on waiting."""
    return reviews.set_policy(data)


@get("/review/captures/{capture:str}", sync_to_thread=True, summary="One capture in review, with its answers")
def get_review(capture: FromPath[str], reviews: NamedDependency[ReviewService]) -> ReviewItem:
    return reviews.get(capture)


@get("/review/captures/{capture:str}/alike", sync_to_thread=True, summary="The near-duplicates of a capture")
def list_alike(
    capture: FromPath[str],
    reviews: NamedDependency[ReviewService],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> ReviewPage:
    """Itself among them, the oldest first."""
    return reviews.alike(capture, limit)


routes = [
    list_reviews,
    next_reviews,
    answer_review,
    undo_review,
    review_stats,
    review_policy,
    set_review_policy,
    get_review,
    list_alike,
]
