"""Pages of reviews: the desk where captures are answered, keyboard first, and lists of what stands where."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.people import Permission
from lineside.contract.review import MakeDataset, ReviewState
from lineside.server.access.permissions import needs
from lineside.server.review.making import Making
from lineside.server.review.queue import Wanted
from lineside.server.review.rules import Rules
from lineside.server.review.service import ReviewService
from lineside.server.web.render import AnyRequest, Page, page, see

_A_PAGE = 48

STRATEGIES = ("random", "uncertain", "nothing", "class", "shadow", "drift", "requested")

KEYS = (
    ("A, Enter", "Accept what is shown; saves boxes that were changed"),
    ("N", "Nothing is there"),
    ("U", "Unsure: set aside"),
    ("S", "Skip: to the end of the queue"),
    ("Z", "Undo the last answer"),
    ("Tab", "The next box, with Shift the one before"),
    ("1–9", "Class of the chosen box, and of the next ones"),
    ("C", "Another class"),
    ("B", "A new box in the middle"),
    ("Arrows", "Move the box by a pixel, with Ctrl by ten; with Shift its size"),
    ("Delete", "Remove the box"),
    ("R", "Back to what was predicted"),
    ("Esc", "Let the box go"),
    ("+  −  0", "Zoom in, out, all; the wheel zooms, the right button moves the picture"),
)
"""Every key of the desk, and what it does; docs/review.md has the same table."""


@get("/review", sync_to_thread=True, include_in_schema=False)
def review_page(
    request: AnyRequest,
    reviews: NamedDependency[ReviewService],
    review_rules: NamedDependency[Rules],
    strategy: FromQuery[str] = "",
    device: FromQuery[str] = "",
    model: FromQuery[str] = "",
    capture: FromQuery[str] = "",
) -> Page:
    """One capture at a time; `capture` is shown first, if it is in review."""
    missing = capture if capture and not reviews.has(capture) else ""
    asked = {"strategy": strategy, "device": device, "model": model}
    rules = review_rules.all()
    return page(
        request,
        "review/desk.html",
        here="/review",
        stats=reviews.stats(),
        strategies=STRATEGIES,
        strategy=strategy,
        filters=msgspec.json.encode({name: value for name, value in asked.items() if value}).decode(),
        classes=msgspec.json.encode(reviews.policy().classes).decode(),
        wanted="" if missing else capture,
        missing=missing,
        keys=KEYS,
        rules=rules,
        dataset=rules[0].name if rules else model,
    )


@get("/review/captures", sync_to_thread=True, include_in_schema=False)
def review_list_page(
    request: AnyRequest,
    reviews: NamedDependency[ReviewService],
    stands: FromQuery[ReviewState | None] = None,
    strategy: FromQuery[str | None] = None,
    device: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
) -> Page:
    """Captures that stand as asked."""
    where = stands or ReviewState.WAITING
    found = reviews.page(where, Wanted(strategy=strategy or None, device=device or None), after, _A_PAGE)
    return page(request, "review/list.html", here="/review", page=found, stands=where.value, stats=reviews.stats())


class MakeForm(msgspec.Struct, kw_only=True):
    """What a person writes to make a dataset version."""

    name: str
    field_share: float = 0.2


@post("/review/datasets", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.OPERATE), status_code=303)
def make_dataset_form(data: URLEncodedBody[MakeForm], review_making: NamedDependency[Making]) -> Redirect:
    """Make the next version of a dataset of what was reviewed, and go there."""
    made = review_making.make(MakeDataset(name=data.name.strip(), field_share=data.field_share))
    return see(f"/datasets/{quote(made.version.id)}" if made.version is not None else "/review")


routes = [review_page, review_list_page, make_dataset_form]
