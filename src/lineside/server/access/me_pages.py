"""The page of one's own account: password and API tokens."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.errors import LinesideError
from lineside.contract.people import MIN_PASSWORD, ChangePassword, MadeToken, NewToken, Permission, within_a_token
from lineside.server.access.accounts import Accounts
from lineside.server.access.authentication import shown_by
from lineside.server.access.caller import current
from lineside.server.access.forms import SecretForm, check_same, chosen
from lineside.server.access.people_api import KNOWN, SIGNED_IN, entry_cookies
from lineside.server.web.render import AnyRequest, Page, page, see

_DAY = 24 * 3600


class PasswordForm(SecretForm, frozen=True, kw_only=True):
    """Another password, twice."""

    current: str = ""
    password: str = ""
    again: str = ""


class TokenForm(msgspec.Struct, frozen=True, kw_only=True):
    """An API token for oneself."""

    name: str = ""
    days: int = 90
    permissions: tuple[str, ...] | str = ()  # a form says one of several as a text


@get("/me", sync_to_thread=True, include_in_schema=False, opt=SIGNED_IN)
def me_page(request: AnyRequest, accounts: NamedDependency[Accounts], done: FromQuery[str] = "") -> Page:
    """Who one is here, one's password and one's API tokens."""
    return _me(request, accounts, done="Your password was changed." if done == "password" else "")


@post("/me/password", sync_to_thread=True, include_in_schema=False, opt=SIGNED_IN)
def change_password(
    request: AnyRequest, data: URLEncodedBody[PasswordForm], accounts: NamedDependency[Accounts]
) -> Page | Response[Any]:
    """Changed, or the page with the reason why not."""
    try:
        check_same(data.password, data.again)
        wanted = ChangePassword(current=data.current, new=data.password)
        entered = accounts.change_password(current(), wanted, shown_by(request), request.cookies.get(KNOWN))
    except LinesideError as error:
        return _me(request, accounts, error=error)
    cookies = entry_cookies(request, entered) if entered else []
    return Redirect("/me?done=password", status_code=303, cookies=cookies)


@post("/me/tokens", sync_to_thread=True, status_code=200, include_in_schema=False, opt=SIGNED_IN)
def make_token(request: AnyRequest, data: URLEncodedBody[TokenForm], accounts: NamedDependency[Accounts]) -> Page:
    """The page with the new token's text, this once."""
    try:
        permissions = chosen(data.permissions, Permission)
        wanted = NewToken(name=data.name, permissions=permissions, ttl_seconds=data.days * _DAY)
        made = accounts.tokens.create(current(), wanted, shown_by(request).token)
    except LinesideError as error:
        return _me(request, accounts, error=error)
    return _me(request, accounts, made=made)


@post("/me/tokens/{token:str}/revoke", sync_to_thread=True, include_in_schema=False, opt=SIGNED_IN)
def revoke_token(
    request: AnyRequest, token: FromPath[str], accounts: NamedDependency[Accounts]
) -> Page | Response[Any]:
    """Revoked, then look."""
    try:
        accounts.tokens.revoke(current(), token)
    except LinesideError as error:
        return _me(request, accounts, error=error)
    return see("/me")


def _me(
    request: AnyRequest,
    accounts: Accounts,
    *,
    error: LinesideError | None = None,
    made: MadeToken | None = None,
    done: str = "",
) -> Page:
    caller = current()
    return page(
        request,
        "people/me.html",
        here="/me",
        status=int(error.kind) if error else 200,
        error=error.report() if error else None,
        done=done,
        made=made,
        has_password=accounts.is_person(caller),
        own=caller.by in ("session", "token"),
        offered=[each for each in Permission if each in within_a_token(caller.roles)],
        tokens=[token for token in accounts.tokens.list(caller) if token.user == caller.name],
        shortest=MIN_PASSWORD,
    )


routes = [me_page, change_password, make_token, revoke_token]
