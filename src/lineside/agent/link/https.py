"""The devices' API over HTTPS: the CA pinned, a short-lived token from the device's own key.

Two exceptions: `LinkError` (try again later) and `RemoteError` (the control plane's refusal, in its own words).
"""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import msgspec

from lineside.agent import crash
from lineside.agent.clock import CLOSE, DEVICE, Clock
from lineside.agent.health.conditions import Conditions
from lineside.agent.keys.port import CURRENT, NEXT, KeyStore
from lineside.agent.link.error import LinkError
from lineside.agent.link.http import Http, Response
from lineside.agent.link.identity import Identity
from lineside.agent.link.instance import Instance
from lineside.agent.link.tls import for_server
from lineside.agent.ports import Content, Download
from lineside.contract.capture import Ticket
from lineside.contract.collection import CaptureProgress, CaptureRequest
from lineside.contract.desired import Desired
from lineside.contract.device import (
    AccessToken,
    CertificateAnswer,
    CertificatePurpose,
    CertificateRequest,
    DeviceState,
    TokenRequest,
)
from lineside.contract.errors import ErrorReport, RemoteError
from lineside.contract.export import ExportRecord
from lineside.contract.inquiry import Inquiry, InquiryPart
from lineside.contract.reading import UNREADABLE
from lineside.contract.reported import Report, ReportsAnswer, ReportsRequest
from lineside.contract.schema_versions import CAPTURES, RESULTS, SILENT, heard
from lineside.contract.secret import GivenSecrets

PREFIX = "/device/v1/"
T = TypeVar("T")
MAX_RETRY_AFTER = 3600.0
"""Seconds that the control plane, or what stands before it, may ask a device to stay away at most."""
_EARLY = 30.0  # seconds before its end at which a token is renewed
_CONDITIONS = (
    "link.answer",
    "link.captive_portal",
    "link.dns",
    "link.proxy",
    "link.refused",
    "link.timeout",
    "link.unreachable",
)
"""What an answer of the control plane clears."""


class _ErrorBody(msgspec.Struct):
    error: ErrorReport


Body = bytes | Content | None


def send(client: Http, method: str, path: str, body: Body = None, **headers: str) -> Response:
    """One request; the answer's body is not read yet. Raises `LinkError`."""
    names = {key.replace("_", "-"): value for key, value in headers.items() if value}
    if body is not None:
        names.setdefault("Content-Type", "application/json")
    return client.request(method, f"{PREFIX}{path}", body, names)


def check(response: Response, path: str) -> None:
    """Raise what a refusing answer says: `RemoteError` with the control plane's words, else `link.answer`."""
    if response.status < 400:
        return
    body = response.read()
    if response.status < 500 and response.status != 429:
        try:
            raise RemoteError(msgspec.json.decode(body, type=_ErrorBody).error, response.status)
        except UNREADABLE:
            pass
    raise LinkError(
        "link.answer",
        retry_after=_retry_after(response),
        http_status=response.status,
        status=response.status,
        path=path,
    )


def _retry_after(response: Response) -> float | None:
    """Seconds, as a number or counted from the answer's own date; never more than `MAX_RETRY_AFTER`."""
    text = response.headers.get("Retry-After", "")
    if text.isdigit():
        return min(float(text), MAX_RETRY_AFTER)
    try:
        wanted, said = (email.utils.parsedate_to_datetime(one) for one in (text, response.headers.get("Date", "")))
        return min(max(0.0, (wanted - said).total_seconds()), MAX_RETRY_AFTER)
    except (TypeError, ValueError):
        return None


class Link:
    """One device's connection to its control plane: the `ControlPlane` port over HTTPS. Usable from several threads.

    Why it cannot be reached is a condition until it answers again.
    """

    def __init__(
        self,
        url: str,
        device: str,
        keys: KeyStore,
        ca: Path,
        *,
        clock: Clock = DEVICE,
        conditions: Conditions | None = None,
        instance: Instance | None = None,
    ) -> None:
        self._identity = Identity(device, keys, instance, clock)
        self._device = device
        self._clock = clock
        self._conditions = conditions or Conditions()
        self._http = Http(url, for_server(str(ca)), clock)
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0
        self._asked, self._collecting, self._results = False, 0, SILENT
        self._captures: tuple[int, ...] | None = None

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    # --- the port -------------------------------------------------------------------------------------------------

    def desired(self, etag: str | None) -> tuple[Desired, str] | None:
        """See `ControlPlane.desired`."""
        response = self._request("GET", "desired", If_None_Match=etag or "")
        self._asked = "Lineside-Asked" in response.headers
        collecting = response.headers.get("Lineside-Collecting", "")
        self._collecting = int(collecting) if collecting.isdigit() else 0
        self._results = heard(response.headers.get(RESULTS.header, ""))
        self._captures = heard(response.headers.get(CAPTURES.header, ""))
        body = response.read()
        if response.status == 304:
            return None
        return decode(body, Desired, "desired"), response.headers.get("ETag", "")

    def report(self, reports: tuple[Report, ...]) -> int:
        """See `ControlPlane.report`."""
        response = self._request("POST", "reports", msgspec.json.encode(ReportsRequest(reports=reports)))
        return decode(response.read(), ReportsAnswer, "reports").accepted

    def metadata(self, url: str) -> Iterator[bytes]:
        """See `ControlPlane.metadata`."""
        return self._request("GET", quote(url)).pieces()

    @contextmanager
    def artifact(self, digest: str, offset: int) -> Iterator[Download]:
        """See `ArtifactSource.artifact`. A range the control plane cannot serve starts again from 0."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        path = f"artifacts/{digest}"
        response = self._send("GET", path, None, headers)
        if response.status == 416:
            response.read()
            response = self._send("GET", path, None, {})
        check(response, path)
        begins = _range_start(response) if response.status == 206 else 0
        remaining = int(response.headers.get("Content-Length", "0"))
        try:
            yield Download(begins, remaining, response.pieces(), response.abort)
        finally:
            response.close()

    def secrets(self, etag: str) -> tuple[GivenSecrets, str] | None:
        """See `ControlPlane.secrets`."""
        response = self._request("GET", "secrets", If_None_Match=etag)
        body = response.read()
        if response.status == 304:
            return None
        return decode(body, GivenSecrets, "secrets"), response.headers.get("ETag", "")

    def captures_taken(self) -> tuple[int, ...] | None:
        """See `ControlPlane.captures_taken`."""
        return self._captures

    def ticket(self, record: bytes) -> Ticket:
        """See `ControlPlane.ticket`."""
        response = self._request("POST", "captures", record)
        return decode(response.read(), Ticket, "captures")

    def export_ticket(self, record: ExportRecord) -> Ticket:
        """See `ControlPlane.export_ticket`."""
        response = self._request("POST", "exports", msgspec.json.encode(record))
        return decode(response.read(), Ticket, "exports")

    def upload(self, ticket: Ticket, data: bytes | Content) -> None:
        """See `ControlPlane.upload`."""
        path = ticket.url.removeprefix(PREFIX).lstrip("/")
        headers = {"Content_Type": "application/octet-stream"}
        if not isinstance(data, bytes):
            headers["Content_Length"] = str(data.size)
        if ticket.received:
            headers["Content_Range"] = f"bytes {ticket.received}-{ticket.max_bytes - 1}/{ticket.max_bytes}"
        self._request("PUT", path, data, **headers).read()

    def put_done(self, ticket: Ticket) -> None:
        """See `ControlPlane.put_done`."""
        self._request("POST", f"{ticket.url.removeprefix(PREFIX)}/done", b"").read()

    def collecting(self) -> int:
        """See `ControlPlane.collecting`."""
        return self._collecting

    def capture_requests(self) -> list[CaptureRequest]:
        """See `ControlPlane.capture_requests`."""
        return decode(self._request("GET", "collections").read(), list[CaptureRequest], "collections")

    def tell_kept(self, request: str, progress: CaptureProgress) -> None:
        """See `ControlPlane.tell_kept`."""
        path = f"collections/{quote(request, safe='')}/kept"
        self._request("POST", path, msgspec.json.encode(progress)).read()

    def results_taken(self) -> tuple[int, ...]:
        """See `ControlPlane.results_taken`."""
        return self._results

    def asked(self) -> bool:
        """See `ControlPlane.asked`."""
        return self._asked

    def inquiries(self) -> list[Inquiry]:
        """See `ControlPlane.inquiries`."""
        return decode(self._request("GET", "inquiries").read(), list[Inquiry], "inquiries")

    def answer(self, inquiry: str, part: InquiryPart) -> Inquiry:
        """See `ControlPlane.answer`."""
        path = f"inquiries/{quote(inquiry, safe='')}/parts"
        response = self._request("POST", path, msgspec.json.encode(part))
        return decode(response.read(), Inquiry, path)

    # --- renewal (`renewal.Issuer`) -------------------------------------------------------------------------------

    def certificate(self, csr: str, purpose: CertificatePurpose) -> str:
        """See `Issuer.certificate`."""
        body = msgspec.json.encode(CertificateRequest(csr=csr, purpose=purpose))
        return decode(self._request("POST", "certificate", body).read(), CertificateAnswer, "certificate").certificate

    def adopt(self, promote: Callable[[], None]) -> None:
        """See `Issuer.adopt`."""
        with self._lock:
            self._prove(NEXT)
            crash.point("renewal.proven")
            promote()

    # --- requests -------------------------------------------------------------------------------------------------

    def _request(self, method: str, path: str, body: Body = None, **headers: str) -> Response:
        response = self._send(method, path, body, headers)
        check(response, path)
        return response

    def _send(self, method: str, path: str, body: Body, headers: dict[str, str]) -> Response:
        """One request with a token; a token that is refused is renewed once."""
        token = self._access_token()
        response = self._try(method, path, body, Authorization=f"Bearer {token}", **headers)
        if response.status != 401:
            return response
        response.read()
        token = self._access_token(refused=token)
        return self._try(method, path, body, Authorization=f"Bearer {token}", **headers)

    def _try(self, method: str, path: str, body: Body, **headers: str) -> Response:
        """One request; whether it was answered is a condition of the device."""
        try:
            response = send(self._http, method, path, body, **headers)
            if response.status >= 500 or response.status == 429:
                check(response, path)
        except LinkError as error:
            self._conditions.clear(*(code for code in _CONDITIONS if code != error.code))
            self._conditions.put(error)
            raise
        self._conditions.clear(*_CONDITIONS)
        return response

    def _access_token(self, refused: str | None = None) -> str:
        with self._lock:
            if self._token and self._token != refused and time.monotonic() < self._renew_at:
                return self._token
            return self._prove(CURRENT)

    def _prove(self, key: str) -> str:
        """A token for an assertion by one of the device's keys."""
        before = self._clock.time() - time.monotonic()
        response = self._assert_identity(key)
        if response.status == 401 and abs(self._clock.time() - time.monotonic() - before) > CLOSE:
            response.read()
            response = self._assert_identity(key)  # the refusal has told the time
        check(response, "token")
        answer = decode(response.read(), AccessToken, "token")
        if answer.state is DeviceState.QUARANTINED:
            self._conditions.set("device.quarantined", device=self._device)
        else:
            self._conditions.clear("device.quarantined")
        self._token = answer.access_token
        self._renew_at = time.monotonic() + max(answer.expires_in - _EARLY, answer.expires_in / 2)
        return self._token

    def _assert_identity(self, key: str) -> Response:
        request = TokenRequest(client_assertion=self._identity.assertion(key))
        response = self._try("POST", "token", msgspec.json.encode(request))
        self._identity.answered()
        return response


def _range_start(response: Response) -> int:
    """The first byte's position in `Content-Range: bytes 5-9/10`."""
    text = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(text) if text.isdigit() else 0


def decode(body: bytes, kind: type[T], path: str) -> T:
    """A body as a value. Raises `link.answer` when it is something else."""
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise LinkError("link.answer", status=f"something unreadable ({error})", path=path) from error
