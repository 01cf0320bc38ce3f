"""The page of everybody who has access, for admins."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.people import NewUser, OneTimeLink, Permission, Role
from lineside.server.access.accounts import Accounts
from lineside.server.access.forms import chosen
from lineside.server.access.permissions import needs
from lineside.server.web.render import AnyRequest, Page, page, see

_ADMINS = needs(Permission.ADMINISTER)


class UserForm(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody new."""

    name: str = ""
    roles: tuple[str, ...] | str = ()


class RolesForm(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's roles."""

    roles: tuple[str, ...] | str = ()


@get("/users", sync_to_thread=True, include_in_schema=False, opt=_ADMINS)
def users_page(request: AnyRequest, accounts: NamedDependency[Accounts]) -> Page:
    """Everybody who has access."""
    return _users(request, accounts)


@post("/users", sync_to_thread=True, status_code=200, include_in_schema=False, opt=_ADMINS)
def create_user(request: AnyRequest, data: URLEncodedBody[UserForm], accounts: NamedDependency[Accounts]) -> Page:
    """Somebody new, and at once the link for them."""
    try:
        user = accounts.users.create(NewUser(name=data.name.strip(), roles=chosen(data.roles, Role)))
        return _users(request, accounts, link=accounts.users.link(user.name))
    except LinesideError as error:
        return _users(request, accounts, error=error)


@post("/users/{name:str}/link", sync_to_thread=True, status_code=200, include_in_schema=False, opt=_ADMINS)
def link_user(request: AnyRequest, name: FromPath[str], accounts: NamedDependency[Accounts]) -> Page:
    """The page with a new link, this once."""
    try:
        return _users(request, accounts, link=accounts.users.link(name))
    except LinesideError as error:
        return _users(request, accounts, error=error)


@post("/users/{name:str}/roles", sync_to_thread=True, include_in_schema=False, opt=_ADMINS)
def set_roles(
    request: AnyRequest, name: FromPath[str], data: URLEncodedBody[RolesForm], accounts: NamedDependency[Accounts]
) -> Page | Response[Any]:
    """Replaced, then look."""
    try:
        accounts.users.set_roles(name, chosen(data.roles, Role))
    except LinesideError as error:
        return _users(request, accounts, error=error)
    return see("/users")


@post("/users/{name:str}/{change:str}", sync_to_thread=True, include_in_schema=False, opt=_ADMINS)
def change_user(
    request: AnyRequest, name: FromPath[str], change: FromPath[str], accounts: NamedDependency[Accounts]
) -> Page | Response[Any]:
    """Disable, enable or remove somebody, then look."""
    changes = {
        "disable": accounts.users.disable,
        "enable": accounts.users.enable,
        "remove": accounts.users.remove,
    }
    if change not in changes:
        raise LinesideError("request.no_such_path", path=request.url.path)
    try:
        changes[change](name)
    except LinesideError as error:
        return _users(request, accounts, error=error)
    return see("/users")


def _users(
    request: AnyRequest, accounts: Accounts, *, error: LinesideError | None = None, link: OneTimeLink | None = None
) -> Page:
    report: ErrorReport | None = error.report() if error else None
    status = int(error.kind) if error else 200
    return page(
        request,
        "people/users.html",
        here="/users",
        status=status,
        error=report,
        link=link,
        users=accounts.users.list(),
        roles=list(Role),
    )


routes = [users_page, create_user, link_user, set_roles, change_user]
