"""How the route of a page's form is declared."""

from __future__ import annotations

from litestar import post

from lineside.contract.people import Permission
from lineside.server.access.permissions import needs


def form(path: str, permission: Permission) -> post:
    """`@form(path, Permission.OPERATE)`: a route that takes what a form sends, and is no part of people's API."""
    return post(path, sync_to_thread=True, include_in_schema=False, opt=needs(permission))
