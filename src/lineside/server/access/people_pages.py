"""Pages of people: signing in, choosing a password, one's own account, and everybody's for an admin."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.errors import ErrorReport, LinesideError
from lineside.contract.people import (
    MIN_PASSWORD,
    ChangePassword,
    Login,
    MadeToken,
    NewToken,
    NewUser,
    OneTimeLink,
    Permission,
    Role,
    UseLink,
    within_a_token,
)
from lineside.server.access.accounts import Accounts, Entered
from lineside.server.access.authentication import shown_by
from lineside.server.access.caller import current
from lineside.server.access.cookies import no_session_cookie
from lineside.server.access.people_api import KNOWN, SIGNED_IN, entry_cookies
from lineside.server.access.permissions import PUBLIC, needs
from lineside.server.services import Core
from lineside.server.web.render import AnyRequest, Page, page, see

_ADMINS = needs(Permission.ADMINISTER)
_DAY = 24 * 3600

T = TypeVar("T", Role, Permission)


class LoginForm(msgspec.Struct, frozen=True, kw_only=True):
    """Name, password, and where to go after that."""

    name: str = ""
    password: str = ""
    next: str = "/"


class WelcomeForm(msgspec.Struct, frozen=True, kw_only=True):
    """A password, twice, by a one-time link."""

    token: str = ""
    password: str = ""
    again: str = ""


class PasswordForm(msgspec.Struct, frozen=True, kw_only=True):
    """Another password, twice."""

    current: str = ""
    password: str = ""
    again: str = ""


class TokenForm(msgspec.Struct, frozen=True, kw_only=True):
    """An API token for oneself."""

    name: str = ""
    days: int = 90
    permissions: tuple[str, ...] | str = ()  # a form says one of several as a text


class UserForm(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody new."""

    name: str = ""
    roles: tuple[str, ...] | str = ()


class RolesForm(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's roles."""

    roles: tuple[str, ...] | str = ()


# --- in and out ---------------------------------------------------------------------------------------------------


@get("/login", sync_to_thread=False, include_in_schema=False, opt=PUBLIC)
def login_page(request: AnyRequest, core: NamedDependency[Core], next: FromQuery[str] = "/") -> Page | Response[Any]:
    """The form; who is signed in already goes on."""
    if current().by == "session":
        return see(within(next))
    return _login(request, core, next)


@post("/login", sync_to_thread=True, include_in_schema=False, opt=PUBLIC)
def sign_in(
    request: AnyRequest,
    data: URLEncodedBody[LoginForm],
    accounts: NamedDependency[Accounts],
    core: NamedDependency[Core],
) -> Page | Response[Any]:
    """In, or the form again with the reason."""
    try:
        entered = accounts.login(
            Login(name=data.name, password=data.password), shown_by(request), request.cookies.get(KNOWN)
        )
    except LinesideError as error:
        return _login(request, core, data.next, error, data.name)
    return entering(request, entered, data.next)


@post("/logout", sync_to_thread=True, include_in_schema=False, opt=SIGNED_IN)
def sign_out(request: AnyRequest, accounts: NamedDependency[Accounts]) -> Redirect:
    """Out, and to the form."""
    accounts.logout(current(), shown_by(request))
    return Redirect("/login", status_code=303, cookies=[no_session_cookie(request)])


@get("/welcome", sync_to_thread=True, include_in_schema=False, opt=PUBLIC)
def welcome_page(request: AnyRequest, accounts: NamedDependency[Accounts], token: FromQuery[str] = "") -> Page:
    """Choose a password. Looking at the page does not use the link up: mail programs and chats look at links too."""
    return _welcome(request, accounts, token)


@post("/welcome", sync_to_thread=True, include_in_schema=False, opt=PUBLIC)
def choose_password(
    request: AnyRequest, data: URLEncodedBody[WelcomeForm], accounts: NamedDependency[Accounts]
) -> Page | Response[Any]:
    """In, or the form again with the reason."""
    try:
        _check_same(data.password, data.again)
        entered = accounts.use_link(UseLink(link=data.token, password=data.password), shown_by(request))
    except LinesideError as error:
        return _welcome(request, accounts, data.token, error)
    return entering(request, entered, "/")


def entering(request: AnyRequest, entered: Entered, next: str) -> Redirect:
    """Somebody is in: their cookies, and where they wanted to go."""
    return Redirect(within(next), status_code=303, cookies=entry_cookies(request, entered))


def within(next: str) -> str:
    """Where to go after signing in: a path of this control plane, whatever somebody wrote into a link."""
    plain = next.startswith("/") and not next.startswith("//") and "\\" not in next and next.isprintable()
    return next if plain and next.isascii() else "/"


def _login(request: AnyRequest, core: Core, next: str, error: LinesideError | None = None, name: str = "") -> Page:
    return page(
        request,
        "people/login.html",
        here="",
        status=int(error.kind) if error else 200,
        error=error.report() if error else None,
        name=name,
        next=within(next),
        provider=bool(core.settings.oidc_issuer),
    )


def _welcome(request: AnyRequest, accounts: Accounts, token: str, error: LinesideError | None = None) -> Page:
    try:
        name = accounts.link_user(token)
    except LinesideError as refusal:
        name, error = "", refusal
    return page(
        request,
        "people/welcome.html",
        here="",
        status=int(error.kind) if error else 200,
        error=error.report() if error else None,
        name=name,
        token=token,
        shortest=MIN_PASSWORD,
    )


def _check_same(password: str, again: str) -> None:
    if password != again:
        raise LinesideError("password.bad", why="it was not typed the same twice")


# --- one's own account --------------------------------------------------------------------------------------------


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
        _check_same(data.password, data.again)
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
        chosen = _chosen(data.permissions, Permission)
        wanted = NewToken(name=data.name, permissions=chosen, ttl_seconds=data.days * _DAY)
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


# --- everybody ----------------------------------------------------------------------------------------------------


@get("/users", sync_to_thread=True, include_in_schema=False, opt=_ADMINS)
def users_page(request: AnyRequest, accounts: NamedDependency[Accounts]) -> Page:
    """Everybody who has access."""
    return _users(request, accounts)


@post("/users", sync_to_thread=True, status_code=200, include_in_schema=False, opt=_ADMINS)
def create_user(request: AnyRequest, data: URLEncodedBody[UserForm], accounts: NamedDependency[Accounts]) -> Page:
    """Somebody new, and at once the link for them."""
    try:
        user = accounts.users.create(NewUser(name=data.name.strip(), roles=_chosen(data.roles, Role)))
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
        accounts.users.set_roles(name, _chosen(data.roles, Role))
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


def _chosen(values: tuple[str, ...] | str, kind: type[T]) -> tuple[T, ...]:
    """What was ticked. Raises `request.invalid`."""
    texts = (values,) if isinstance(values, str) else values
    try:
        return tuple(kind(text) for text in texts)
    except ValueError as error:
        raise LinesideError("request.invalid", why=error) from error


routes = [
    login_page,
    sign_in,
    sign_out,
    welcome_page,
    choose_password,
    me_page,
    change_password,
    make_token,
    revoke_token,
    users_page,
    create_user,
    link_user,
    set_roles,
    change_user,
]
