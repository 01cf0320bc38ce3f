"""The page of the audit trail: who decided what, and whether anybody has tampered with it since."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from lineside.server.access.audit_api import MOST
from lineside.server.access.trail import AuditTrail, Wanted
from lineside.server.web.render import AnyRequest, Page, fragment, page

_A_PAGE = 100


@get("/audit", sync_to_thread=True, include_in_schema=False)
def audit_page(
    request: AnyRequest,
    audit_trail: NamedDependency[AuditTrail],
    actor: FromQuery[str] = "",
    action: FromQuery[str] = "",
    subject: FromQuery[str] = "",
    since: FromQuery[str] = "",
    before: Annotated[int | None, QueryParameter(ge=0, le=MOST)] = None,
) -> Page:
    """Decisions, newest first, filtered; the check of the chain is asked for by the page itself, once."""
    wanted = Wanted(actor=actor, action=action, subject=subject, since=since)
    found = audit_trail.page(wanted, before, _A_PAGE)
    first = before is None and wanted == Wanted(actor="", action="", subject="", since="")
    return page(request, "audit/list.html", here="/audit", page=found, wanted=wanted, first=first)


@get("/audit/state", sync_to_thread=True, include_in_schema=False)
def audit_state(audit_trail: NamedDependency[AuditTrail]) -> Page:
    """What a check of the whole trail finds now."""
    return fragment("audit/state.html", verdict=audit_trail.verify())


routes = [audit_page, audit_state]
