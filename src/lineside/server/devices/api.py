"""People's API of the devices room."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from lineside.contract.device import Device, JoinToken, JoinTokenRequest
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.database import Database
from lineside.server.devices.service import Devices


@post("/devices/tokens", sync_to_thread=True, summary="Make a join token")
def create_token(
    data: JSONBody[JoinTokenRequest], join_tokens: NamedDependency[JoinTokens], database: NamedDependency[Database]
) -> JoinToken:
    """The token is shown this once."""
    with database.write() as session:
        return join_tokens.create(session, data)


@get("/devices", sync_to_thread=True, summary="Every device")
def list_devices(devices: NamedDependency[Devices]) -> list[Device]:
    """By name."""
    return devices.list()


@get("/devices/{name:str}", sync_to_thread=True, summary="One device")
def get_device(name: FromPath[str], devices: NamedDependency[Devices]) -> Device:
    """With its last report."""
    return devices.get(name)


@post("/devices/{name:str}/revoke", sync_to_thread=True, status_code=200, summary="Shut a device out")
def revoke_device(name: FromPath[str], devices: NamedDependency[Devices]) -> Device:
    """It may do nothing any more; what it runs goes on running."""
    return devices.revoke(name)


routes = [create_token, list_devices, get_device, revoke_device]
