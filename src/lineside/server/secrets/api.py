"""People's API of the secrets room: values go in and never come out."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from lineside.contract.people import Permission
from lineside.contract.secret import KeyRotation, Secret, SecretDetails, SecretName, SetSecret
from lineside.server.access.permissions import needs
from lineside.server.secrets.service import ComponentSecrets


@get("/secrets", sync_to_thread=True, summary="All secrets, without their values")
def list_secrets(component_secrets: NamedDependency[ComponentSecrets]) -> list[Secret]:
    """By name, each with its versions."""
    return component_secrets.all()


@post(
    "/secrets",
    sync_to_thread=True,
    status_code=200,
    opt=needs(Permission.ADMINISTER),
    summary="Give a secret a new value",
)
def set_secret(data: JSONBody[SetSecret], component_secrets: NamedDependency[ComponentSecrets]) -> Secret:
    """The value before stays as AWSPREVIOUS. Devices that may have it are told."""
    return component_secrets.set(data.name, data.value)


@get("/secrets/details", sync_to_thread=True, summary="One secret, and who may have it")
def get_secret(name: FromQuery[str], component_secrets: NamedDependency[ComponentSecrets]) -> SecretDetails:
    """Its versions, the components whose recipes name it, and which devices were given it when."""
    return component_secrets.details(name)


@post(
    "/secrets/remove",
    sync_to_thread=True,
    status_code=200,
    opt=needs(Permission.ADMINISTER),
    summary="Forget a secret",
)
def remove_secret(data: JSONBody[SecretName], component_secrets: NamedDependency[ComponentSecrets]) -> Secret:
    """Devices forget it when they ask next."""
    return component_secrets.remove(data.name)


@post(
    "/secrets/rotate-key",
    sync_to_thread=True,
    status_code=200,
    opt=needs(Permission.ADMINISTER),
    summary="Change the key that secrets are stored with",
)
def rotate_key(component_secrets: NamedDependency[ComponentSecrets]) -> KeyRotation:
    """Every value is sealed anew; devices notice nothing."""
    return component_secrets.rotate_key()


routes = [list_secrets, set_secret, get_secret, remove_secret, rotate_key]
