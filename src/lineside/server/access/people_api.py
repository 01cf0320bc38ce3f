"""People's API about people: signing in and out, users, API tokens."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from lineside.contract.people import (
    ApiToken,
    ChangePassword,
    Login,
    MadeToken,
    NewToken,
    NewUser,
    OneTimeLink,
    Permission,
    Roles,
    SignedIn,
    UseLink,
    User,
    WhoAmI,
)
from lineside.server.access.accounts import Accounts, Entered, who_is
from lineside.server.access.authentication import shown_by
from lineside.server.access.caller import current
from lineside.server.access.cookies import no_session_cookie, session_cookie
from lineside.server.access.permissions import PUBLIC, needs
from lineside.server.access.throttle import KNOWN_SECONDS
from lineside.server.web.render import AnyRequest

KNOWN = "lineside_known"
"""The cookie of a browser that somebody signed in with before; it opens nothing (see `throttle`)."""

SIGNED_IN = needs(*Permission)
"""Anybody who has proven who they are."""

_ADMINS = needs(Permission.ADMINISTER)


@post("/login", sync_to_thread=True, status_code=200, summary="Sign in", opt=PUBLIC)
def login(request: AnyRequest, data: JSONBody[Login], accounts: NamedDependency[Accounts]) -> Response[SignedIn]:
    """With a session, whose cookie comes with the answer, or, when `token` names one, with an API token."""
    entered = accounts.login(data, shown_by(request), request.cookies.get(KNOWN))
    return Response(entered.answer, cookies=entry_cookies(request, entered))


@post("/login/link", sync_to_thread=True, status_code=200, summary="Choose a password by a one-time link", opt=PUBLIC)
def use_link(request: AnyRequest, data: JSONBody[UseLink], accounts: NamedDependency[Accounts]) -> Response[SignedIn]:
    """The link is used up, every earlier session ends, and the answer is that of signing in."""
    entered = accounts.use_link(data, shown_by(request))
    return Response(entered.answer, cookies=entry_cookies(request, entered))


@post("/logout", sync_to_thread=True, status_code=204, summary="Sign out", opt=SIGNED_IN)
def logout(request: AnyRequest, accounts: NamedDependency[Accounts]) -> Response[None]:
    """The session or API token that asks is good no more."""
    accounts.logout(current(), shown_by(request))
    return Response(None, status_code=204, cookies=[no_session_cookie(request)])


@get("/me", sync_to_thread=False, summary="Who the caller is taken for", opt=SIGNED_IN)
def whoami() -> WhoAmI:
    """And what they may do."""
    return who_is(current())


@post("/me/password", sync_to_thread=True, status_code=204, summary="Choose another password", opt=SIGNED_IN)
def change_password(
    request: AnyRequest, data: JSONBody[ChangePassword], accounts: NamedDependency[Accounts]
) -> Response[None]:
    """Every session of the caller ends; the one that asks goes on under a new id. API tokens go on."""
    entered = accounts.change_password(current(), data, shown_by(request), request.cookies.get(KNOWN))
    return Response(None, status_code=204, cookies=entry_cookies(request, entered) if entered else [])


@get("/users", sync_to_thread=True, summary="Everybody who has access", opt=_ADMINS)
def list_users(accounts: NamedDependency[Accounts]) -> list[User]:
    """By name."""
    return list(accounts.users.list())


@post("/users", sync_to_thread=True, summary="Give somebody access", opt=_ADMINS)
def create_user(data: JSONBody[NewUser], accounts: NamedDependency[Accounts]) -> User:
    """They have no password yet: make them a one-time link."""
    return accounts.users.create(data)


@post("/users/{name:str}/roles", sync_to_thread=True, status_code=200, summary="Replace somebody's roles", opt=_ADMINS)
def set_roles(name: FromPath[str], data: JSONBody[Roles], accounts: NamedDependency[Accounts]) -> User:
    """It counts from their next request on."""
    return accounts.users.set_roles(name, data.roles)


@post("/users/{name:str}/disable", sync_to_thread=True, status_code=200, summary="Shut somebody out", opt=_ADMINS)
def disable_user(name: FromPath[str], accounts: NamedDependency[Accounts]) -> User:
    """At once; the last admin cannot be."""
    return accounts.users.disable(name)


@post("/users/{name:str}/enable", sync_to_thread=True, status_code=200, summary="Let somebody in again", opt=_ADMINS)
def enable_user(name: FromPath[str], accounts: NamedDependency[Accounts]) -> User:
    """By the password and tokens they had."""
    return accounts.users.enable(name)


@post("/users/{name:str}/remove", sync_to_thread=True, status_code=200, summary="Forget somebody", opt=_ADMINS)
def remove_user(name: FromPath[str], accounts: NamedDependency[Accounts]) -> User:
    """With their sessions, tokens and links; the last admin cannot be."""
    return accounts.users.remove(name)


@post("/users/{name:str}/link", sync_to_thread=True, summary="Make somebody a one-time link", opt=_ADMINS)
def link_user(name: FromPath[str], accounts: NamedDependency[Accounts]) -> OneTimeLink:
    """To choose a password, the first or another one. An older link is good no more."""
    return accounts.users.link(name)


@get("/tokens", sync_to_thread=True, summary="API tokens, newest first", opt=SIGNED_IN)
def list_tokens(accounts: NamedDependency[Accounts]) -> list[ApiToken]:
    """The caller's own; for an admin everybody's."""
    return list(accounts.tokens.list(current()))


@post("/tokens", sync_to_thread=True, summary="Make an API token", opt=SIGNED_IN)
def create_token(request: AnyRequest, data: JSONBody[NewToken], accounts: NamedDependency[Accounts]) -> MadeToken:
    """Its text is shown this once. One that is made with a token can do no more and lives no longer than that."""
    return accounts.tokens.create(current(), data, shown_by(request).token)


@post("/tokens/{token:str}/revoke", sync_to_thread=True, status_code=200, summary="Revoke an API token", opt=SIGNED_IN)
def revoke_token(token: FromPath[str], accounts: NamedDependency[Accounts]) -> ApiToken:
    """One's own; for an admin anybody's."""
    return accounts.tokens.revoke(current(), token)


def entry_cookies(request: AnyRequest, entered: Entered) -> list[Cookie]:
    """What a browser is given that somebody has just signed in with; a program that asked for a token gets none."""
    if entered.session is None:
        return []
    session: Cookie = session_cookie(request, entered.session, entered.seconds)
    return [session, lasting(request, KNOWN, entered.known, KNOWN_SECONDS)]


def lasting(request: AnyRequest, name: str, value: str, seconds: int, path: str = "/") -> Cookie:
    """A cookie that scripts cannot read."""
    secure = request.scope["scheme"] == "https"
    settings: dict[str, Any] = {"httponly": True, "samesite": "lax", "secure": secure, "path": path}
    return Cookie(key=name, value=value, max_age=seconds, **settings)


routes = [
    login,
    use_link,
    logout,
    whoami,
    change_password,
    list_users,
    create_user,
    set_roles,
    disable_user,
    enable_user,
    remove_user,
    link_user,
    list_tokens,
    create_token,
    revoke_token,
]
