"""Pages of the deliveries room: all deliveries with what starts them, and one as a line of stages."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from lineside.contract.delivery import OPEN, Delivery, DeliveryState
from lineside.contract.people import Permission
from lineside.contract.rollout_words import plan_in_words
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.deliveries.hooks import Hooks
from lineside.server.deliveries.rules import Rules
from lineside.server.deliveries.service import Deliveries
from lineside.server.web.render import AnyRequest, Page, page, see

_STAGES = (
    (DeliveryState.PACKAGING, "Packaged and signed for twins"),
    (DeliveryState.TWIN, "Tested by twins"),
    (DeliveryState.APPROVAL, "Approved"),
    (DeliveryState.ROLLOUT, "Rolled out"),
)


@get("/deliveries", sync_to_thread=True, include_in_schema=False)
def deliveries_page(
    request: AnyRequest,
    deliveries: NamedDependency[Deliveries],
    rules: NamedDependency[Rules],
    hooks: NamedDependency[Hooks],
    database: NamedDependency[Database],
    before: FromQuery[str | None] = None,
) -> Page:
    """Deliveries, newest first, rules and doors."""
    with database.read() as session:
        found, ruled, doors = deliveries.page(session, before, 50), rules.all(session), hooks.all(session)
    return page(
        request, "deliveries/list.html", here="/deliveries", live=before is None, found=found, rules=ruled, hooks=doors
    )


@get("/deliveries/{delivery:str}", sync_to_thread=True, include_in_schema=False)
def delivery_page(
    request: AnyRequest,
    delivery: FromPath[str],
    deliveries: NamedDependency[Deliveries],
    database: NamedDependency[Database],
) -> Page:
    """One delivery; it refreshes itself until it ends."""
    with database.read() as session:
        shown = deliveries.show(session, delivery)
    return page(
        request,
        "deliveries/page.html",
        here="/deliveries",
        live=shown.state in OPEN,
        delivery=shown,
        under_way=shown.state in OPEN,
        stages=stages_of(shown),
        plan=plan_in_words(shown.plan) if shown.plan else (),
    )


def stages_of(delivery: Delivery) -> tuple[tuple[str, str], ...]:
    """The stages of a delivery, each with `done`, `now`, `stopped` or nothing for one that has not come."""
    stages = _STAGES if delivery.model else _STAGES[2:]
    order = [state for state, _ in stages]
    reached = delivery.state
    if reached not in order:  # it has ended: where it was before that
        last = delivery.history[-1].current if delivery.history else order[0].value
        reached = DeliveryState(last)
    at = order.index(reached) if reached in order else 0
    if delivery.state is DeliveryState.DELIVERED:
        return tuple((words, "done") for _, words in stages)
    here = "now" if delivery.state in OPEN else "stopped"
    return tuple(
        (words, "done" if number < at else here if number == at else "") for number, (_, words) in enumerate(stages)
    )


@post("/deliveries/{delivery:str}/cancel", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.OPERATE))
def cancel_delivery(
    delivery: FromPath[str], deliveries: NamedDependency[Deliveries], database: NamedDependency[Database]
) -> Redirect:
    """Stop it where it is, then look."""
    with database.write() as session:
        deliveries.cancel(session, delivery)
    return see(f"/deliveries/{delivery}")


routes = [deliveries_page, delivery_page, cancel_delivery]
