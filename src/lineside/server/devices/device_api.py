"""Devices' API of the devices room: join, prove, ask, report, answer."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.params import FromPath, JSONBody

from lineside.contract.desired import Desired
from lineside.contract.device import (
    AccessToken,
    CertificateAnswer,
    CertificateRequest,
    JoinAnswer,
    JoinRequest,
    TokenRequest,
)
from lineside.contract.inquiry import Inquiry, InquiryPart
from lineside.contract.reported import ReportsAnswer, ReportsRequest
from lineside.server.access.authentication import source_of
from lineside.server.devices.certificates import Certificates
from lineside.server.devices.checkin import CheckIns
from lineside.server.devices.guard import PUBLIC, QUARANTINED
from lineside.server.devices.inquiries import Inquiries
from lineside.server.devices.joining import Joining


@get("/ca", media_type=MediaType.TEXT, sync_to_thread=False, opt=PUBLIC, summary="The CA's certificate")
def get_ca(joining: NamedDependency[Joining]) -> str:
    """PEM. A device compares its fingerprint with the one it was given before it sends its join token."""
    return joining.ca_pem


@get("/crl", media_type=MediaType.TEXT, sync_to_thread=True, opt=PUBLIC, summary="Certificates that are good no more")
def get_crl(certificates: NamedDependency[Certificates]) -> str:
    """PEM (RFC 5280): revoked and superseded ones. For a broker that is not the control plane's own."""
    return certificates.revocation_list()


@post("/join", sync_to_thread=True, opt=PUBLIC, status_code=200, summary="Join with a signing request")
def join(data: JSONBody[JoinRequest], joining: NamedDependency[Joining]) -> JoinAnswer:
    """Certificate, trust root and addresses for a new device; without leave to join it waits for a person."""
    return joining.join(data)


@post("/token", opt=PUBLIC, status_code=200, summary="An access token for a client assertion")
async def get_token(
    request: Request[Any, Any, Any], data: JSONBody[TokenRequest], checkins: NamedDependency[CheckIns]
) -> AccessToken:
    """RFC 7523; an assertion is good once."""
    return await checkins.token(data.client_assertion, source_of(request.scope))


@post("/certificate", sync_to_thread=True, status_code=200, summary="The next certificate, for a new key")
def renew_certificate(
    data: JSONBody[CertificateRequest], caller: NamedDependency[str], certificates: NamedDependency[Certificates]
) -> CertificateAnswer:
    """The same for the same key. The old key is good until an assertion was signed with the new one."""
    return certificates.renew(caller, data)


@get("/desired", opt=QUARANTINED, summary="What this device should run")
async def get_desired(
    request: Request[Any, Any, Any],
    caller: NamedDependency[str],
    checkins: NamedDependency[CheckIns],
) -> Response[Desired | None]:
    """304 when `If-None-Match` names the present document. `Lineside-Asked`: people ask something, see
    `/inquiries`. `Lineside-Results`, `Lineside-Captures`: the versions of their schemas that are taken."""
    told = await checkins.ask(caller, await checkins.look(caller), request.headers.get("if-none-match", ""))
    return Response(told.document, status_code=200 if told.document else 304, headers=told.headers())


@post("/reports", opt=QUARANTINED, status_code=200, summary="What this device runs")
async def post_reports(
    data: JSONBody[ReportsRequest], caller: NamedDependency[str], checkins: NamedDependency[CheckIns]
) -> ReportsAnswer:
    """Idempotent by sequence number."""
    return await checkins.report(caller, data)


@get("/inquiries", sync_to_thread=True, opt=QUARANTINED, summary="What people ask of this device now")
def get_inquiries(caller: NamedDependency[str], inquiries: NamedDependency[Inquiries]) -> list[Inquiry]:
    """Oldest first; what is not here any more need not be answered."""
    return inquiries.open(caller)


@post(
    "/inquiries/{inquiry:str}/parts",
    sync_to_thread=True,
    opt=QUARANTINED,
    status_code=200,
    summary="A part of an answer",
)
def post_part(
    inquiry: FromPath[str],
    data: JSONBody[InquiryPart],
    caller: NamedDependency[str],
    inquiries: NamedDependency[Inquiries],
) -> Inquiry:
    """Idempotent by number. Says how long more of it is wanted."""
    return inquiries.accept(caller, inquiry, data)


routes = [
    get_ca,
    get_crl,
    join,
    get_token,
    renew_certificate,
    get_desired,
    post_reports,
    get_inquiries,
    post_part,
]
