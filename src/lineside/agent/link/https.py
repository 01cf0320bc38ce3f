"""The devices' API over HTTPS: the CA pinned, a short-lived token from the device's own key.

Two exceptions: `LinkError` (try again later) and `RemoteError` (the control plane's refusal, in its own words).
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import urllib3
from joserfc import jwt
from joserfc.jwk import ECKey
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from lineside import __version__
from lineside.agent.link.error import LinkError
from lineside.agent.ports import Download
from lineside.contract.capture import CaptureRecord, Ticket
from lineside.contract.desired import Desired
from lineside.contract.device import AccessToken, TokenRequest
from lineside.contract.errors import ErrorReport, RemoteError
from lineside.contract.inquiry import Inquiry, InquiryPart
from lineside.contract.reported import Report, ReportsAnswer, ReportsRequest

PREFIX = "/device/v1/"
_CHUNK = 1 << 18
T = TypeVar("T")
_TIMEOUT = urllib3.Timeout(connect=5.0, read=30.0)
_EARLY = 30.0  # seconds before its end at which a token is renewed


class _ErrorBody(msgspec.Struct):
    error: ErrorReport


def make_pool(**tls: Any) -> urllib3.PoolManager:
    """HTTPS connections without redirects or retries: those are the agent's own decision."""
    headers = {"User-Agent": f"lineside-agent/{__version__}"}
    return urllib3.PoolManager(headers=headers, timeout=_TIMEOUT, retries=False, maxsize=4, **tls)


def send(
    pool: urllib3.PoolManager, base: str, method: str, path: str, body: bytes | None = None, **headers: str
) -> BaseHTTPResponse:
    """One request; the answer's body is not read yet. Raises `link.unreachable`."""
    names = {key.replace("_", "-"): value for key, value in headers.items() if value}
    if body is not None:
        names.setdefault("Content-Type", "application/json")
    try:
        return pool.request(
            method, f"{base}{PREFIX}{path}", body=body, headers={**pool.headers, **names}, preload_content=False
        )
    except HTTPError as error:
        raise LinkError("link.unreachable", url=base, why=_reason(error)) from error


def read(response: BaseHTTPResponse, base: str) -> bytes:
    """The whole body. Raises `link.unreachable` when it breaks off."""
    try:
        return response.read(cache_content=False)
    except HTTPError as error:
        raise LinkError("link.unreachable", url=base, why=_reason(error)) from error
    finally:
        response.release_conn()


def check(response: BaseHTTPResponse, base: str, path: str) -> None:
    """Raise what a refusing answer says: `RemoteError` with the control plane's words, else `link.answer`."""
    if response.status < 400:
        return
    body = read(response, base)
    if response.status < 500 and response.status != 429:
        try:
            raise RemoteError(msgspec.json.decode(body, type=_ErrorBody).error, response.status)
        except msgspec.DecodeError:
            pass
    raise LinkError(
        "link.answer",
        retry_after=_retry_after(response),
        http_status=response.status,
        status=response.status,
        path=path,
    )


def _retry_after(response: BaseHTTPResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error).rpartition(": ")[2] or type(error).__name__


class Link:
    """One device's connection to its control plane: the `ControlPlane` port over HTTPS. Usable from several threads."""

    def __init__(self, url: str, device: str, key: Path, ca: Path) -> None:
        self._base = url.rstrip("/")
        self._device = device
        self._key = ECKey.import_key(key.read_bytes())
        self._pool = make_pool(ca_certs=str(ca), cert_reqs="CERT_REQUIRED")
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0
        self._asked = False

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    # --- the port -------------------------------------------------------------------------------------------------

    def desired(self, etag: str | None) -> tuple[Desired, str] | None:
        """See `ControlPlane.desired`."""
        response = self._request("GET", "desired", If_None_Match=etag or "")
        self._asked = "Lineside-Asked" in response.headers
        body = read(response, self._base)
        if response.status == 304:
            return None
        return decode(body, Desired, "desired"), response.headers.get("ETag", "")

    def report(self, reports: tuple[Report, ...]) -> int:
        """See `ControlPlane.report`."""
        response = self._request("POST", "reports", msgspec.json.encode(ReportsRequest(reports=reports)))
        return decode(read(response, self._base), ReportsAnswer, "reports").accepted

    def metadata(self, url: str) -> Iterator[bytes]:
        """See `ControlPlane.metadata`."""
        response = self._request("GET", quote(url))
        return self._chunks(response)

    @contextmanager
    def artifact(self, digest: str, offset: int) -> Iterator[Download]:
        """See `ArtifactSource.artifact`. A range the control plane cannot serve starts again from 0."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        path = f"artifacts/{digest}"
        response = self._send("GET", path, None, headers)
        if response.status == 416:
            response.release_conn()
            response = self._send("GET", path, None, {})
        check(response, self._base, path)
        begins = _range_start(response) if response.status == 206 else 0
        remaining = int(response.headers.get("Content-Length", "0"))
        try:
            yield Download(begins, remaining, self._pieces(response), lambda: _shut_down(response))
        finally:
            response.close()

    def ticket(self, record: CaptureRecord) -> Ticket:
        """See `ControlPlane.ticket`."""
        response = self._request("POST", "captures", msgspec.json.encode(record))
        return decode(read(response, self._base), Ticket, "captures")

    def upload(self, ticket: Ticket, data: bytes) -> None:
        """See `ControlPlane.upload`."""
        path = ticket.url.removeprefix(PREFIX).lstrip("/")
        read(self._request("PUT", path, data, Content_Type="application/octet-stream"), self._base)

    def asked(self) -> bool:
        """See `ControlPlane.asked`."""
        return self._asked

    def inquiries(self) -> list[Inquiry]:
        """See `ControlPlane.inquiries`."""
        return decode(read(self._request("GET", "inquiries"), self._base), list[Inquiry], "inquiries")

    def answer(self, inquiry: str, part: InquiryPart) -> Inquiry:
        """See `ControlPlane.answer`."""
        path = f"inquiries/{quote(inquiry, safe='')}/parts"
        response = self._request("POST", path, msgspec.json.encode(part))
        return decode(read(response, self._base), Inquiry, path)

    # --- requests -------------------------------------------------------------------------------------------------

    def _request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> BaseHTTPResponse:
        response = self._send(method, path, body, headers)
        check(response, self._base, path)
        return response

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> BaseHTTPResponse:
        """One request with a token; a token that is refused is renewed once."""
        token = self._access_token()
        response = send(self._pool, self._base, method, path, body, Authorization=f"Bearer {token}", **headers)
        if response.status != 401:
            return response
        response.drain_conn()
        response.release_conn()
        token = self._access_token(refused=token)
        return send(self._pool, self._base, method, path, body, Authorization=f"Bearer {token}", **headers)

    def _access_token(self, refused: str | None = None) -> str:
        with self._lock:
            if self._token and self._token != refused and time.monotonic() < self._renew_at:
                return self._token
            body = msgspec.json.encode(TokenRequest(client_assertion=self._assertion()))
            response = send(self._pool, self._base, "POST", "token", body)
            check(response, self._base, "token")
            answer = decode(read(response, self._base), AccessToken, "token")
            self._token = answer.access_token
            self._renew_at = time.monotonic() + max(answer.expires_in - _EARLY, answer.expires_in / 2)
            return self._token

    def _assertion(self) -> str:
        """A client assertion (RFC 7523), good for a minute and for one use."""
        now = int(time.time())
        claims = {
            "iss": self._device,
            "sub": self._device,
            "aud": "lineside",
            "iat": now,
            "exp": now + 60,
            "jti": uuid.uuid4().hex,
        }
        return jwt.encode({"alg": "ES256"}, claims, self._key, algorithms=["ES256"])

    def _pieces(self, response: BaseHTTPResponse) -> Iterator[bytes]:
        """A body as it arrives, however slowly: unlike `_chunks` this never waits until a chunk is full."""
        try:
            while piece := response.read1(_CHUNK):
                yield piece
        except HTTPError as error:
            raise LinkError("link.unreachable", url=self._base, why=_reason(error)) from error

    def _chunks(self, response: BaseHTTPResponse) -> Iterator[bytes]:
        try:
            yield from response.stream(_CHUNK)
        except HTTPError as error:
            raise LinkError("link.unreachable", url=self._base, why=_reason(error)) from error
        response.release_conn()


def _shut_down(response: BaseHTTPResponse) -> None:
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # it may have ended in the meantime
        response.shutdown()


def _range_start(response: BaseHTTPResponse) -> int:
    """The first byte's position in `Content-Range: bytes 5-9/10`."""
    text = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(text) if text.isdigit() else 0


def decode(body: bytes, kind: type[T], path: str) -> T:
    """A body as a value. Raises `link.answer` when it is something else."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise LinkError("link.answer", status=f"something unreadable ({error})", path=path) from error
