"""Pages of the secrets room: which secrets there are, and who may have each."""

from __future__ import annotations

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect

from lineside.contract.errors import LinesideError
from lineside.contract.people import Permission
from lineside.contract.secret import SecretName
from lineside.server.access.permissions import needs
from lineside.server.secrets.service import ComponentSecrets
from lineside.server.web.render import AnyRequest, Page, page, see


class SecretForm(msgspec.Struct, frozen=True, kw_only=True):
    """A new value, as a form sends it."""

    name: str
    value: str

    def __repr__(self) -> str:
        """Without the value."""
        return f"SecretForm({self.name!r})"


@get("/secrets", sync_to_thread=True, include_in_schema=False)
def secrets_page(request: AnyRequest, component_secrets: NamedDependency[ComponentSecrets]) -> Page:
    """All secrets, without their values."""
    return _listed(request, component_secrets)


@get("/secrets/details", sync_to_thread=True, include_in_schema=False)
def secret_page(
    request: AnyRequest, name: FromQuery[str], component_secrets: NamedDependency[ComponentSecrets]
) -> Page:
    """One secret, and who may have it."""
    return page(request, "secrets/page.html", here="/secrets", live=True, details=component_secrets.details(name))


@post("/secrets", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.ADMINISTER))
def set_secret(
    request: AnyRequest, data: URLEncodedBody[SecretForm], component_secrets: NamedDependency[ComponentSecrets]
) -> Page | Redirect:
    """Give a secret a new value, then look; a refusal is shown with its reason, never with the value."""
    try:
        component_secrets.set(data.name, data.value.encode())
    except LinesideError as error:
        return _listed(request, component_secrets, error)
    return see("/secrets")


@post("/secrets/remove", sync_to_thread=True, include_in_schema=False, opt=needs(Permission.ADMINISTER))
def remove_secret(data: URLEncodedBody[SecretName], component_secrets: NamedDependency[ComponentSecrets]) -> Redirect:
    """Forget a secret, then look."""
    component_secrets.remove(data.name)
    return see("/secrets")


def _listed(request: AnyRequest, secrets: ComponentSecrets, refusal: LinesideError | None = None) -> Page:
    status = int(refusal.kind) if refusal else 200
    report = refusal.report() if refusal else None
    return page(
        request,
        "secrets/list.html",
        here="/secrets",
        status=status,
        secrets=secrets.all(),
        refusal=report,
    )


routes = [secrets_page, secret_page, set_secret, remove_secret]
