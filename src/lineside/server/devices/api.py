"""People's API of the devices room."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from lineside.contract.device import Device, JoinToken, JoinTokenRequest
from lineside.contract.inquiry import Inquiry, InquiryAnswer, InquiryRequest
from lineside.contract.people import Permission
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.devices.inquiries import Inquiries
from lineside.server.devices.service import Devices


@post("/devices/tokens", sync_to_thread=True, summary="Make a join token", opt=needs(Permission.OPERATE))
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


@post(
    "/devices/{name:str}/revoke",
    sync_to_thread=True,
    status_code=200,
    summary="Shut a device out",
    opt=needs(Permission.OPERATE),
)
def revoke_device(name: FromPath[str], devices: NamedDependency[Devices]) -> Device:
    """It may do nothing any more; what it runs goes on running."""
    return devices.revoke(name)


@post(
    "/devices/{name:str}/inquiries",
    sync_to_thread=True,
    summary="Ask a device for its logs or its diagnosis",
    opt=needs(Permission.OPERATE),
)
def ask_device(name: FromPath[str], data: JSONBody[InquiryRequest], inquiries: NamedDependency[Inquiries]) -> Inquiry:
    """The device is told at once if it can be, else at its next poll. Read what it says at `/inquiries/{id}`."""
    return inquiries.ask(name, data)


@get("/devices/{name:str}/inquiries/{inquiry:str}", sync_to_thread=True, summary="What a device has answered so far")
def get_inquiry(
    name: FromPath[str],
    inquiry: FromPath[str],
    inquiries: NamedDependency[Inquiries],
    after: FromQuery[int] = -1,
) -> InquiryAnswer:
    """The parts after the one numbered `after`. Reading an answer that follows a log keeps it going."""
    return inquiries.answer(name, inquiry, after)


@post(
    "/devices/{name:str}/inquiries/{inquiry:str}/end",
    sync_to_thread=True,
    status_code=200,
    summary="End an inquiry",
    opt=needs(Permission.OPERATE),
)
def end_inquiry(name: FromPath[str], inquiry: FromPath[str], inquiries: NamedDependency[Inquiries]) -> InquiryAnswer:
    """The device says no more about it."""
    return inquiries.end(name, inquiry)


routes = [create_token, list_devices, get_device, revoke_device, ask_device, get_inquiry, end_inquiry]
