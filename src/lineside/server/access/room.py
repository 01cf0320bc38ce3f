"""The access room as the app sees it."""

from __future__ import annotations

from lineside.server.access import (
    api,
    audit_api,
    audit_pages,
    entry_pages,
    me_pages,
    oidc_pages,
    pages,
    people_api,
    users_pages,
)
from lineside.server.access.accounts import Accounts
from lineside.server.access.oidc import Provider
from lineside.server.access.trail import AuditTrail
from lineside.server.services import Core, Room


def room(core: Core) -> Room:
    """Events, the audit trail and people; the app itself offers `database` and `events` to every handler."""
    return Room(
        services={
            "audit_trail": AuditTrail(core),
            "accounts": Accounts(core),
            "oidc": Provider(core.settings, core.clock),
        },
        people=[*api.routes, *audit_api.routes, *people_api.routes],
        pages=[
            *pages.routes,
            *audit_pages.routes,
            *entry_pages.routes,
            *me_pages.routes,
            *users_pages.routes,
            *oidc_pages.routes,
        ],
    )
