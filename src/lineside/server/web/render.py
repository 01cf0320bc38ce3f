"""A page: one template, filled in; the live part of it asks for itself again every two seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jinja2
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from lineside.contract.ceremony import TrustMode
from lineside.contract.counted import counted
from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission
from lineside.server.access.caller import SYSTEM, Caller, acting, current
from lineside.server.errors import ErrorBody, from_framework
from lineside.server.house import house_of
from lineside.server.web.navigation import area_of, menu

AnyRequest = Request[Any, Any, Any]
Page = Response[str]

_NOBODY = Caller(name="", by="")
HERE = Path(__file__).resolve().parent

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals |= {"who": current, "menu": menu, "area_of": area_of, "counted": counted}


def _may(*permissions: str) -> bool:
    """`may("operate")`: whether who looks has one of these permissions; a page offers nobody what they may not do."""
    return current().may(*map(Permission, permissions))


_templates.globals["may"] = _may


def page(
    request: AnyRequest, template: str, *, here: str, live: bool = False, status: int = 200, **values: Any
) -> Page:
    """A page from a template. `here` is the entry of the main menu it belongs to; `live` pages refresh themselves."""
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    developer = _developer_trust(request)
    return fragment(template, status=status, here=here, live=live, address=address, developer=developer, **values)


def _developer_trust(request: AnyRequest) -> bool:
    """Whether the keys that decide what devices install lie on this machine: every page says so."""
    proposals = house_of(request.scope).services.get("proposals")
    return proposals is not None and proposals.mode() is TrustMode.DEVELOPER


def fragment(template: str, *, status: int = 200, **values: Any) -> Page:
    """A part of a page that is asked for by itself."""
    text = _templates.get_template(template).render(**values)
    return Response(text, media_type="text/html; charset=utf-8", headers=HEADERS, status_code=status)


def see(path: str) -> Redirect:
    """After a form was sent: go and look at what it changed (303)."""
    return Redirect(path, status_code=303)


def explained(request: AnyRequest, error: LinesideError) -> Page | Redirect:
    """An error on a page: its sentence and the next step, in the frame of every page; a stranger may sign in."""
    if error.code == "auth.login_needed":
        return _sign_in(request)
    return page(request, "error.html", here="", status=int(error.kind), error=error.report())


def refused(request: AnyRequest, error: HTTPException) -> Page | Response[ErrorBody]:
    """What the framework refused before a handler ran (an unknown path, a parameter that is none): a page for a
    browser, JSON for a program. Nobody was asked who they are where there is no path, so that page shows no menu."""
    answer = from_framework(request, error)
    if "text/html" not in request.headers.get("accept", "") or request.url.path.startswith("/api/"):
        return answer
    report = answer.content.error
    if report.code == "request.no_such_path":
        report = LinesideError("request.no_such_page", path=request.url.path).report()
    with acting(current() if current() is not SYSTEM else _NOBODY):
        return page(request, "error.html", here="", status=error.status_code, error=report)


def _sign_in(request: AnyRequest) -> Page | Redirect:
    """To the login page, and from there back to where they were."""
    if "hx-request" in request.headers:  # a part of a page: the whole page must go, so htmx is told
        where = urlsplit(request.headers.get("hx-current-url", ""))
        address = "/login?" + urlencode({"next": where.path + (f"?{where.query}" if where.query else "")})
        return Response("", status_code=401, media_type="text/html", headers={**HEADERS, "HX-Redirect": address})
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return see("/login?" + urlencode({"next": here if request.method == "GET" else "/"}))
