"""Pages for getting in and out: signing in, choosing a password by a one-time link."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.errors import LinesideError
from lineside.contract.people import MIN_PASSWORD, Login, UseLink
from lineside.server.access.accounts import Accounts, Entered
from lineside.server.access.authentication import shown_by
from lineside.server.access.caller import current
from lineside.server.access.cookies import no_session_cookie
from lineside.server.access.forms import SecretForm, check_same
from lineside.server.access.people_api import KNOWN, SIGNED_IN, entry_cookies
from lineside.server.access.permissions import PUBLIC
from lineside.server.services import Core
from lineside.server.web.render import AnyRequest, Page, page, see


class LoginForm(SecretForm, frozen=True, kw_only=True):
    """Name, password, and where to go after that."""

    name: str = ""
    password: str = ""
    next: str = "/"


class WelcomeForm(SecretForm, frozen=True, kw_only=True):
    """A password, twice, by a one-time link."""

    token: str = ""
    password: str = ""
    again: str = ""


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
        check_same(data.password, data.again)
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


routes = [login_page, sign_in, sign_out, welcome_page, choose_password]
