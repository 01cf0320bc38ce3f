"""People's API of the webhooks room."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from lineside.contract.people import Permission
from lineside.contract.webhook import Webhook, WebhookDetails, WebhookMade, WebhookMessage, WebhookRequest
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.webhooks.service import Webhooks


@get("/webhooks", sync_to_thread=True, summary="Who is told of what", opt=needs(Permission.ADMINISTER))
def list_webhooks(webhooks: NamedDependency[Webhooks], database: NamedDependency[Database]) -> list[Webhook]:
    """Oldest first, without their secrets."""
    with database.read() as session:
        return webhooks.all(session)


@post(
    "/webhooks",
    sync_to_thread=True,
    status_code=201,
    summary="Tell somebody of events",
    opt=needs(Permission.ADMINISTER),
)
def create_webhook(
    data: JSONBody[WebhookRequest], webhooks: NamedDependency[Webhooks], database: NamedDependency[Database]
) -> WebhookMade:
    """Of what happens from now on; the secret is in this answer and nowhere else."""
    with database.write() as session:
        return webhooks.create(session, data)


@get("/webhooks/{webhook:str}", sync_to_thread=True, summary="One webhook", opt=needs(Permission.ADMINISTER))
def get_webhook(
    webhook: FromPath[str], webhooks: NamedDependency[Webhooks], database: NamedDependency[Database]
) -> WebhookDetails:
    """With its newest messages, and what came of them."""
    with database.read() as session:
        return webhooks.show(session, webhook)


@post(
    "/webhooks/{webhook:str}/remove",
    sync_to_thread=True,
    status_code=200,
    summary="Tell them nothing any more",
    opt=needs(Permission.ADMINISTER),
)
def remove_webhook(
    webhook: FromPath[str], webhooks: NamedDependency[Webhooks], database: NamedDependency[Database]
) -> Webhook:
    """What waits is not sent either."""
    with database.write() as session:
        return webhooks.remove(session, webhook)


@post(
    "/webhooks/{webhook:str}/test",
    sync_to_thread=True,
    status_code=200,
    summary="Send a test message now",
    opt=needs(Permission.ADMINISTER),
)
def test_webhook(webhook: FromPath[str], webhooks: NamedDependency[Webhooks]) -> WebhookMessage:
    """What came of it; it is not tried again."""
    return webhooks.test(webhook)


@post(
    "/webhooks/{webhook:str}/messages/{message:str}/redeliver",
    sync_to_thread=True,
    status_code=200,
    summary="Send a message again",
    opt=needs(Permission.ADMINISTER),
)
def redeliver_message(
    webhook: FromPath[str],
    message: FromPath[str],
    webhooks: NamedDependency[Webhooks],
    database: NamedDependency[Database],
) -> WebhookMessage:
    """Now, and for another day if it is not taken."""
    with database.write() as session:
        return webhooks.redeliver(session, webhook, message)


routes = [list_webhooks, create_webhook, get_webhook, remove_webhook, test_webhook, redeliver_message]
