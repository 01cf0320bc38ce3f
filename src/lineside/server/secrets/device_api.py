"""Devices' API of the secrets room."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from lineside.contract.secret import GivenSecrets
from lineside.server.secrets.service import ComponentSecrets


@get("/secrets", sync_to_thread=True, summary="The secrets that this device's components name")
def get_secrets(
    request: Request[Any, Any, Any], caller: NamedDependency[str], component_secrets: NamedDependency[ComponentSecrets]
) -> Response[GivenSecrets | None]:
    """Each value sealed for the device's key. 304 when `If-None-Match` names what it has."""
    given, tag = component_secrets.given(caller, request.headers.get("if-none-match", "").strip())
    headers = {"ETag": tag, "Cache-Control": "no-store"}
    return Response(given, status_code=304 if given is None else 200, headers=headers)


routes = [get_secrets]
