"""Pages of the webhooks room: who is told of what, and what came of the newest messages."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from lineside.contract.people import Permission
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.web.forms import form
from lineside.server.web.render import AnyRequest, Page, page, see
from lineside.server.webhooks.service import Webhooks


@get("/webhooks", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.ADMINISTER))
def webhooks_page(
    request: AnyRequest, webhooks: NamedDependency[Webhooks], database: NamedDependency[Database]
) -> Page:
    """All webhooks."""
    with database.read() as session:
        found = webhooks.all(session)
    return page(request, "webhooks/list.html", here="/webhooks", live=True, webhooks=found)


@get("/webhooks/{webhook:str}", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.ADMINISTER))
def webhook_page(
    request: AnyRequest,
    webhook: FromPath[str],
    webhooks: NamedDependency[Webhooks],
    database: NamedDependency[Database],
) -> Page:
    """One webhook with its newest messages."""
    with database.read() as session:
        found = webhooks.show(session, webhook)
    return page(request, "webhooks/page.html", here="/webhooks", live=True, details=found)


@form("/webhooks/{webhook:str}/test", Permission.ADMINISTER)
def test_webhook(webhook: FromPath[str], webhooks: NamedDependency[Webhooks]) -> Redirect:
    """Send a test message, then look what came of it."""
    webhooks.test(webhook)
    return see(f"/webhooks/{webhook}")


@form("/webhooks/{webhook:str}/messages/{message:str}/redeliver", Permission.ADMINISTER)
def redeliver_message(
    webhook: FromPath[str],
    message: FromPath[str],
    webhooks: NamedDependency[Webhooks],
    database: NamedDependency[Database],
) -> Redirect:
    """Send a message again, then look."""
    with database.write() as session:
        webhooks.redeliver(session, webhook, message)
    return see(f"/webhooks/{webhook}")


routes = [webhooks_page, webhook_page, test_webhook, redeliver_message]
