"""People's API of the devices room."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from lineside.contract.device import (
    AcceptRequest,
    Device,
    DevicePage,
    DeviceState,
    JoinToken,
    JoinTokenInfo,
    JoinTokenRequest,
    Preauthorisation,
    PreauthorisedPage,
)
from lineside.contract.inquiry import Inquiry, InquiryAnswer, InquiryRequest
from lineside.contract.people import Permission
from lineside.server.access.join_tokens import JoinTokens
from lineside.server.access.permissions import needs
from lineside.server.database import Database
from lineside.server.devices.inquiries import Inquiries
from lineside.server.devices.joining import Joining
from lineside.server.devices.listing import Filter
from lineside.server.devices.service import Devices
from lineside.server.devices.standing import Standing


@post("/devices/tokens", sync_to_thread=True, summary="Make a join token", opt=needs(Permission.OPERATE))
def create_token(data: JSONBody[JoinTokenRequest], joining: NamedDependency[Joining]) -> JoinToken:
    """The token is shown this once."""
    return joining.create_token(data)


@get("/devices", sync_to_thread=True, summary="Devices")
def list_devices(
    devices: NamedDependency[Devices],
    q: FromQuery[str] = "",
    summary: FromQuery[str] = "",
    group: FromQuery[str] = "",
    selector: FromQuery[str] = "",
    after: FromQuery[str] = "",
    limit: FromQuery[int] = 100,
) -> DevicePage:
    """By name, `limit` of them (at most 500) after a name. `q` is a part of the name, `summary` one word or more with
    commas between, `selector` says something of labels and facts. All that is given must hold."""
    return devices.page(Filter(q=q, summary=summary, group=group, selector=selector), after, limit)


@get("/devices/{name:str}", sync_to_thread=True, summary="One device")
def get_device(name: FromPath[str], devices: NamedDependency[Devices]) -> Device:
    """With its last report."""
    return devices.get(name)


@post(
    "/devices/{name:str}/accept",
    sync_to_thread=True,
    status_code=200,
    summary="Let a device take part",
    opt=needs(Permission.OPERATE),
)
def accept_device(
    name: FromPath[str],
    data: JSONBody[AcceptRequest],
    standing: NamedDependency[Standing],
    devices: NamedDependency[Devices],
) -> Device:
    """A pending or a quarantined one; `fingerprint` says which key was looked at."""
    standing.accept(name, data)
    return devices.get(name)


@post(
    "/devices/{name:str}/quarantine",
    sync_to_thread=True,
    status_code=200,
    summary="Let a device report, and install nothing",
    opt=needs(Permission.OPERATE),
)
def quarantine_device(
    name: FromPath[str],
    standing: NamedDependency[Standing],
    devices: NamedDependency[Devices],
    why: FromQuery[str] = "",
) -> Device:
    """What runs goes on running."""
    standing.quarantine(name, why)
    return devices.get(name)


@post(
    "/devices/{name:str}/revoke",
    sync_to_thread=True,
    status_code=200,
    summary="Shut a device out",
    opt=needs(Permission.OPERATE),
)
def revoke_device(
    name: FromPath[str],
    standing: NamedDependency[Standing],
    devices: NamedDependency[Devices],
    why: FromQuery[str] = "",
) -> Device:
    """It may do nothing any more, for good; what it runs goes on running. One that is pending is turned away."""
    before = devices.get(name)
    standing.revoke(name, why)
    if before.state is DeviceState.PENDING:  # it is forgotten
        return msgspec.structs.replace(before, state=DeviceState.REVOKED, summary="revoked")
    return devices.get(name)


@get("/join-tokens", sync_to_thread=True, summary="Join tokens that still open the door")
def list_tokens(join_tokens: NamedDependency[JoinTokens], database: NamedDependency[Database]) -> list[JoinTokenInfo]:
    """Newest first; their texts are not kept."""
    with database.read() as session:
        return join_tokens.open(session)


@post(
    "/join-tokens/{token:str}/revoke",
    sync_to_thread=True,
    status_code=200,
    summary="Take a join token back",
    opt=needs(Permission.OPERATE),
)
def revoke_token(
    token: FromPath[str], join_tokens: NamedDependency[JoinTokens], database: NamedDependency[Database]
) -> JoinTokenInfo:
    """Nobody joins with it any more; devices that have joined stay."""
    with database.write() as session:
        return join_tokens.revoke(session, token)


@get("/preauthorised", sync_to_thread=True, summary="Keys that may join without a token")
def list_preauthorised(
    standing: NamedDependency[Standing],
    offset: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> PreauthorisedPage:
    """By name."""
    return standing.preauthorised(offset, limit)


@post("/preauthorised", sync_to_thread=True, summary="Let a key join without a token", opt=needs(Permission.OPERATE))
def preauthorise(data: JSONBody[Preauthorisation], standing: NamedDependency[Standing]) -> Preauthorisation:
    """Once, and under one name."""
    return standing.preauthorise(data)


@post(
    "/preauthorised/{fingerprint:str}/remove",
    sync_to_thread=True,
    status_code=200,
    summary="A key may not join without a token any more",
    opt=needs(Permission.OPERATE),
)
def remove_preauthorised(fingerprint: FromPath[str], standing: NamedDependency[Standing]) -> Preauthorisation:
    """It has not been used."""
    return standing.withdraw(fingerprint)


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


routes = [
    create_token,
    list_tokens,
    revoke_token,
    list_preauthorised,
    preauthorise,
    remove_preauthorised,
    list_devices,
    get_device,
    accept_device,
    quarantine_device,
    revoke_device,
    ask_device,
    get_inquiry,
    end_inquiry,
]
