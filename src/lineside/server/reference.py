"""What OpenAPI documents say beside the routes themselves: how callers prove who they are, and how errors look."""

from __future__ import annotations

from litestar import Litestar
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.routes import HTTPRoute

import lineside
from lineside.contract.errors import Kind
from lineside.server.access.cookies import COOKIE
from lineside.server.errors import ErrorBody

_MEANING = {
    Kind.REFUSED: "The request has to change",
    Kind.UNAUTHENTICATED: "Nobody is signed in, or what was shown is not good here",
    Kind.FORBIDDEN: "The caller may not do this",
    Kind.MISSING: "What was named does not exist",
    Kind.CONFLICT: "The present state does not allow it",
    Kind.TOO_LARGE: "Too much was sent",
    Kind.CORRUPT: "The bytes are not what was named or signed",
    Kind.TOO_MANY: "Wait, and ask again",
    Kind.INTERNAL: "Something failed that nobody foresaw",
    Kind.UNAVAILABLE: "Ask again later",
}


def people_reference() -> OpenAPIConfig:
    """The people's API as OpenAPI, at /schema; JSON only, since the readers that come with the framework need a CDN."""
    plugins = [JsonRenderPlugin(path=["/", "/openapi.json"])]
    token = SecurityScheme(type="http", scheme="bearer", description="An API token")
    session = SecurityScheme(
        type="apiKey", name=COOKIE, security_scheme_in="cookie", description=f"A session; over TLS __Host-{COOKIE}"
    )
    return OpenAPIConfig(
        title="Lineside: people's API",
        version=lineside.__version__,
        render_plugins=plugins,
        components=Components(security_schemes={"token": token, "session": session}),
        security=[{"token": []}, {"session": []}],
    )


def device_reference() -> OpenAPIConfig:
    """The devices' API as OpenAPI; it is part of the documentation, and not served."""
    token = SecurityScheme(type="http", scheme="bearer", description="An access token, from POST /device/v1/token")
    return OpenAPIConfig(
        title="Lineside: devices' API",
        version=lineside.__version__,
        components=Components(security_schemes={"token": token}),
        security=[{"token": []}],
    )


def describe_errors(app: Litestar) -> None:
    """Let every documented route say that errors are `ErrorBody`, whatever their status, and that 204 has no body."""
    said = {int(kind): ResponseSpec(ErrorBody, generate_examples=False, description=_MEANING[kind]) for kind in Kind}
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                empty = {204: ResponseSpec(None, description="Done")} if handler.status_code == 204 else {}
                handler.responses = said | empty | dict(handler.responses or {})
