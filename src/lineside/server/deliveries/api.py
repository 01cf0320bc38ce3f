"""People's API of the deliveries room."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.delivery import (
    Delivery,
    DeliveryHook,
    DeliveryPage,
    DeliveryRequest,
    DeliveryRule,
    HookMade,
    HookRequest,
    RuleRequest,
)
from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.deliveries.hooks import Hooks
from lineside.server.deliveries.rules import Rules
from lineside.server.deliveries.service import Deliveries


@post(
    "/deliveries",
    sync_to_thread=True,
    status_code=200,
    summary="Deliver a model or component version to a group",
    opt=needs(Permission.OPERATE),
)
def start_delivery(
    data: JSONBody[DeliveryRequest], deliveries: NamedDependency[Deliveries], database: NamedDependency[Database]
) -> Delivery:
    """It goes by itself: twin test, approval, waves. One that is under way is answered as it is."""
    with database.write() as session:
        return deliveries.start(session, data)


@get("/deliveries", sync_to_thread=True, summary="Deliveries, newest first")
def list_deliveries(
    deliveries: NamedDependency[Deliveries],
    database: NamedDependency[Database],
    before: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> DeliveryPage:
    """Without their history; older than the one with the id `before`."""
    with database.read() as session:
        return deliveries.page(session, before, limit)


@get("/deliveries/{delivery:str}", sync_to_thread=True, summary="One delivery")
def get_delivery(
    delivery: FromPath[str], deliveries: NamedDependency[Deliveries], database: NamedDependency[Database]
) -> Delivery:
    """With its history, and what it waits for."""
    with database.read() as session:
        return deliveries.show(session, delivery)


@post(
    "/deliveries/{delivery:str}/cancel",
    sync_to_thread=True,
    status_code=200,
    summary="Stop a delivery where it is",
    opt=needs(Permission.OPERATE),
)
def cancel_delivery(
    delivery: FromPath[str], deliveries: NamedDependency[Deliveries], database: NamedDependency[Database]
) -> Delivery:
    """Its rollout is aborted: devices keep what they were last told."""
    with database.write() as session:
        return deliveries.cancel(session, delivery)


@get("/delivery-rules", sync_to_thread=True, summary="What is delivered whenever it is approved")
def list_rules(rules: NamedDependency[Rules], database: NamedDependency[Database]) -> list[DeliveryRule]:
    """Oldest first."""
    with database.read() as session:
        return rules.all(session)


@post(
    "/delivery-rules",
    sync_to_thread=True,
    status_code=200,
    summary="Deliver a model to a group whenever a version is approved",
    opt=needs(Permission.OPERATE),
)
def create_rule(
    data: JSONBody[RuleRequest], rules: NamedDependency[Rules], database: NamedDependency[Database]
) -> DeliveryRule:
    """It begins with the next approval; for the same model and group it changes the plan."""
    with database.write() as session:
        return rules.create(session, data)


@post(
    "/delivery-rules/{rule:str}/remove",
    sync_to_thread=True,
    status_code=200,
    summary="Take a rule away",
    opt=needs(Permission.OPERATE),
)
def remove_rule(
    rule: FromPath[str], rules: NamedDependency[Rules], database: NamedDependency[Database]
) -> DeliveryRule:
    """What it has started goes on."""
    with database.write() as session:
        return rules.remove(session, rule)


@get("/delivery-hooks", sync_to_thread=True, summary="Doors through which programs start deliveries")
def list_hooks(hooks: NamedDependency[Hooks], database: NamedDependency[Database]) -> list[DeliveryHook]:
    """By name, without their secrets."""
    with database.read() as session:
        return hooks.all(session)


@post(
    "/delivery-hooks",
    sync_to_thread=True,
    status_code=201,
    summary="Let programs elsewhere start deliveries to a group",
    opt=needs(Permission.ADMINISTER),
)
def create_hook(
    data: JSONBody[HookRequest], hooks: NamedDependency[Hooks], database: NamedDependency[Database]
) -> HookMade:
    """Its secret is in this answer and nowhere else."""
    with database.write() as session:
        return hooks.create(session, data)


@post(
    "/delivery-hooks/{hook:str}/remove",
    sync_to_thread=True,
    status_code=200,
    summary="Let them start nothing any more",
    opt=needs(Permission.ADMINISTER),
)
def remove_hook(
    hook: FromPath[str], hooks: NamedDependency[Hooks], database: NamedDependency[Database]
) -> DeliveryHook:
    """What it has started goes on."""
    with database.write() as session:
        return hooks.remove(session, hook)


routes = [
    start_delivery,
    list_deliveries,
    get_delivery,
    cancel_delivery,
    list_rules,
    create_rule,
    remove_rule,
    list_hooks,
    create_hook,
    remove_hook,
]
