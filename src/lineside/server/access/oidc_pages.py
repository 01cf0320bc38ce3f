"""Signing in at an OpenID provider: to it, and back."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Redirect

from lineside.contract.errors import LinesideError
from lineside.server.access.accounts import Accounts
from lineside.server.access.authentication import shown_by
from lineside.server.access.entry_pages import entering, within
from lineside.server.access.oidc import Provider
from lineside.server.access.people_api import lasting
from lineside.server.access.permissions import PUBLIC
from lineside.server.web.render import AnyRequest, Page, page

_BEGUN = "lineside_oidc"
_PURPOSE = "oidc"
_PATH = "/login/oidc"
_SECONDS = 600  # in which somebody signs in over there


@get("/login/oidc", sync_to_thread=True, include_in_schema=False, opt=PUBLIC)
def to_provider(
    request: AnyRequest,
    accounts: NamedDependency[Accounts],
    oidc: NamedDependency[Provider],
    next: FromQuery[str] = "/",
) -> Page | Response[Any]:
    """Off to the provider, with a cookie that only this browser has."""
    redirect = f"{request.scope['scheme']}://{request.headers.get('host', '')}{_PATH}/callback"
    try:
        begun = oidc.begin(redirect, within(next))
    except LinesideError as error:
        return _refused(request, error)
    stamp = accounts.stamps.stamp(_PURPOSE, dict(begun.remembered), _SECONDS)
    return Redirect(begun.url, status_code=303, cookies=[lasting(request, _BEGUN, stamp, _SECONDS, _PATH)])


@get("/login/oidc/callback", sync_to_thread=True, include_in_schema=False, opt=PUBLIC)
def from_provider(
    request: AnyRequest, accounts: NamedDependency[Accounts], oidc: NamedDependency[Provider]
) -> Page | Response[Any]:
    """Back from the provider: in, or why not. Either way this attempt is over."""
    remembered = accounts.stamps.read(_PURPOSE, request.cookies.get(_BEGUN))
    try:
        identity = oidc.finish(dict(request.query_params.items()), remembered)
        entered = accounts.from_provider(identity, shown_by(request))
        assert remembered is not None
        answer: Page | Response[Any] = entering(request, entered, str(remembered["next"]))
    except LinesideError as error:
        accounts.refused(error)
        answer = _refused(request, error)
    answer.cookies.append(lasting(request, _BEGUN, "", 0, _PATH))
    return answer


def _refused(request: AnyRequest, error: LinesideError) -> Page:
    return page(
        request,
        "people/login.html",
        here="",
        status=int(error.kind),
        error=error.report(),
        name="",
        next="/",
        provider=error.code != "oidc.off",
    )


routes = [to_provider, from_provider]
