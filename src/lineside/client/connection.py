"""The one seam to the control plane: a request goes out, bytes or an error come back."""

from __future__ import annotations

import io
import ssl
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import IO, Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import urllib3

from lineside.contract.errors import ErrorReport, LinesideError, RemoteError
from lineside.contract.reading import UNREADABLE

T = TypeVar("T")

_BASE = "/api/v1"
_TIMEOUT = urllib3.Timeout(connect=20.0, read=120.0)  # until connected, a piece of what is sent, a piece of the answer


_reading = Lock()
"""Threads of whoever uses this learn a type one after the other, see `contract.shapes`."""


class _ErrorBody(msgspec.Struct):
    error: ErrorReport


def path(*parts: str | int) -> str:
    """An API path from its parts, each escaped."""
    return "/" + "/".join(quote(str(part), safe=":") for part in parts)


class Connection:
    """Sends requests to one control plane. Safe to use from several threads.

    Connections are kept open for the next request until `close`; a broken-off answer closes its own at once. Raises
    `client.unreachable` when nothing answers and `RemoteError` when the answer is an error. Nothing is retried
    here but a GET whose kept connection ended: whoever calls knows whether the operation may be repeated.
    """

    def __init__(
        self, url: str, token: str | None = None, ca: str | None = None, headers: Mapping[str, str] = {}
    ) -> None:
        """`token` says who asks (`Authorization: Bearer`); `ca` holds the PEM certificates that an https control plane
        is checked against in place of the system's: its CA's, or its own."""
        self.url = url.rstrip("/")
        self._headers = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
        context = ssl.create_default_context(cadata=ca) if ca else None
        if context is not None:
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=_TIMEOUT, ssl_context=context)

    def call(self, method: str, where: str, answer: type[T], *, body: Any = None, query: Mapping[str, Any] = {}) -> T:
        """One JSON request; the answer decoded into a contract value."""
        data = None if body is None else msgspec.json.encode(body)
        raw = self.send(method, where, data=data, query=query, content_type="application/json")
        with _reading:
            return msgspec.json.decode(raw, type=answer)

    def send(
        self,
        method: str,
        where: str,
        *,
        data: bytes | IO[bytes] | None = None,
        query: Mapping[str, Any] = {},
        content_type: str = "application/octet-stream",
    ) -> bytes:
        """One request with raw bytes both ways; `data` may be an open file, which is streamed."""
        with self._request(method, where, data, query, content_type) as response:
            return bytes(response.data)

    def stream(self, where: str, query: Mapping[str, Any] = {}, *, body: Any = None) -> Generator[bytes, None, None]:
        """What is answered to a GET, or to a POST of `body` as JSON, in pieces. Who does not take all closes it."""
        data = None if body is None else msgspec.json.encode(body)
        method, kind = ("GET", "") if data is None else ("POST", "application/json")
        with self._request(method, where, data, query, kind) as response:
            yield from response.stream(1 << 20)

    def close(self) -> None:
        """Close what is open. A later request opens it again."""
        self._pool.clear()

    @contextmanager
    def _request(
        self, method: str, where: str, data: bytes | IO[bytes] | None, query: Mapping[str, Any], content_type: str
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        fields = {name: str(value) for name, value in query.items() if value is not None}
        url = self.url + _BASE + where + ("?" + urlencode(fields) if fields else "")
        headers = self._headers | ({"Content-Type": content_type} if data is not None else {})
        if isinstance(data, bytes):  # urllib3 gives bytes the time of a connect in all, a stream that for each block
            headers, data = headers | {"Content-Length": str(len(data))}, io.BytesIO(data)
        try:
            response = self._asked(method, url, data, headers)
            try:
                if response.status >= 400:
                    raise _error(response)
                yield response
            finally:
                response.close()  # what was not read would be taken for the next answer
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as failure:
            raise LinesideError("client.unreachable", url=self.url, why=failure) from failure

    def _asked(
        self, method: str, url: str, data: bytes | IO[bytes] | None, headers: Mapping[str, str]
    ) -> urllib3.BaseHTTPResponse:
        """A connection that was kept may end just when it is used again; then a GET is asked once more."""
        ask = partial(
            self._pool.request, method, url, body=data, headers=headers, preload_content=False, redirect=False
        )
        try:
            return ask()
        except urllib3.exceptions.ProtocolError:
            if method != "GET":
                raise
            return ask()


def _error(response: urllib3.BaseHTTPResponse) -> LinesideError:
    try:
        report = msgspec.json.decode(response.data, type=_ErrorBody).error
    except UNREADABLE:
        report = ErrorReport(
            code="client.bad_answer", message=f"The answer was HTTP {response.status} without a reason."
        )
    return RemoteError(report, response.status)
