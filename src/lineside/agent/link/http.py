"""HTTPS requests to one address, on connections that are kept for the next; no redirects, no retries of their own.

The standard library's client, because a bigger one costs a tenth of the agent's memory.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from lineside import __version__
from lineside.agent.clock import TOLERANCE, Clock
from lineside.agent.link.dial import DatesRefused, dial, explained, secure
from lineside.agent.link.error import LinkError
from lineside.agent.link.tls import ContextMaker, handshake, valid_at

READ_SECONDS = 30.0
_KEPT = 4
_KEPT_SECONDS = 120.0  # less than the control plane's; a new connection costs it ten times a check-in
_CHUNK = 1 << 18
_CLOCK_PATH = "/device/v1/ca"  # public: answers to anybody, with a Date


class _Connection(http.client.HTTPConnection):
    default_port = 443
    idle_since = 0.0

    def __init__(self, client: Http) -> None:
        super().__init__(client.host, client.port, timeout=READ_SECONDS)
        self._client = client

    def connect(self) -> None:
        """See `http.client`; raises `LinkError`."""
        self.sock = self._client.connected()

    def alive(self) -> bool:
        """Whether a kept connection can be used: an idle one that can be read was closed by the other side."""
        if self.sock is None or time.monotonic() - self.idle_since > _KEPT_SECONDS:
            return False
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLIN)
        return not poll.poll(0)


class Response:
    """An answer whose body is not read yet: `read` all of it, take `pieces`, or `close`."""

    def __init__(
        self, client: Http, connection: _Connection, found: http.client.HTTPResponse, used: socket.socket
    ) -> None:
        self.status = found.status
        self.headers = found.headers
        self._client = client
        self._connection = connection
        self._found = found
        self._done = False  # the connection is given back, or closed
        self._socket = used  # `connection` forgets it when the other side is going to close

    def read(self) -> bytes:
        """The whole body; the connection is kept. Raises `LinkError` when it breaks off."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives, however slowly. Raises `LinkError` when it breaks off."""
        left = self._found.length
        try:
            while piece := self._found.read1(_CHUNK):
                left = None if left is None else left - len(piece)
                yield piece
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise explained(error, self._client.base) from error
        if left:
            self.close()
            raise LinkError("link.unreachable", url=self._client.base, why="the answer broke off")
        if not self._done:
            self._done = True
            self._found.close()
            self._client.keep(self._connection, self._found)

    def certificate(self) -> dict[str, object]:
        """Whose answer it is, as `SSLSocket.getpeercert` describes it."""
        found = self._socket.getpeercert() if isinstance(self._socket, ssl.SSLSocket) else None
        return dict(found or {})

    def abort(self) -> None:
        """Make a read in another thread return now."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection, unless the body was read to its end."""
        if not self._done:
            self._done = True
            self._found.close()
            self._connection.close()


class Http:
    """Requests to `base` (https://HOST:PORT). Usable from several threads."""

    def __init__(self, base: str, make: ContextMaker, clock: Clock, *, pinned: bool = True) -> None:
        parts = urlsplit(base)
        self.base = base.rstrip("/")
        self.host, self.port = parts.hostname or "", parts.port or 443
        self._make = make
        self._clock = clock
        self._pinned = pinned
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()

    def request(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: dict[str, str]
    ) -> Response:
        """One request. Raises `LinkError` when there is no answer, or when the answer is not the control plane's."""
        connection = self._taken()
        try:
            connection.request(method, path, body, {"User-Agent": f"lineside-agent/{__version__}", **headers})
            used = connection.sock
            found = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise explained(error, self.base) from error
        except BaseException:
            connection.close()
            raise
        response = Response(self, connection, found, used)
        self._check(response)
        return response

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def connected(self) -> ssl.SSLSocket:
        """A new connection, spoken to by TLS. When either our clock or the certificate's dates are wrong, the control
        plane is asked which."""
        if not self._clock.plausible() and not self._clock.sure():
            self._ask_the_time()
        try:
            secured = self._handshake()
        except DatesRefused:
            self._ask_the_time()
            secured = self._handshake()
        secured.settimeout(READ_SECONDS)
        return secured

    def _handshake(self) -> ssl.SSLSocket:
        return handshake(dial(self.host, self.port), self._make, self.host, self.base, self._clock)

    def keep(self, connection: _Connection, found: http.client.HTTPResponse) -> None:
        """A body was read to its end: the connection may serve again."""
        if found.will_close or connection.sock is None:
            connection.close()
            return
        connection.idle_since = time.monotonic()
        with self._lock:
            if len(self._idle) < _KEPT:
                self._idle.append(connection)
                return
        connection.close()

    def _taken(self) -> _Connection:
        while True:
            with self._lock:
                if not self._idle:
                    return _Connection(self)
                connection = self._idle.pop()
            if connection.alive():
                return connection
            connection.close()

    def _check(self, response: Response) -> None:
        """Take the time from an answer, and refuse one that something else gave in the control plane's place."""
        if self._pinned:
            self._hear(response.headers.get("Date", ""), response.certificate())
        kind = response.headers.get_content_type()
        redirected = 300 <= response.status < 400 and response.status != 304
        page = kind == "text/html" and (response.status < 400 or response.status == 511)
        if redirected or page:
            response.close()
            what = response.headers.get("Location", "elsewhere") if redirected else "a page for people"
            why = f"it {'sends us to' if redirected else 'answers with'} {what}"
            raise LinkError("link.captive_portal", url=self.base, why=why)

    def _hear(self, date: str, certificate: dict[str, object]) -> None:
        """Take the time, unless the control plane's own certificate is not valid then: its clock is wrong, not ours."""
        told = Clock(wall=lambda: 0.0)
        told.heard(date)
        near = abs(told.time() - self._clock.time()) <= TOLERANCE
        if near or valid_at(certificate, told.time()):
            self._clock.heard(date)

    def _ask_the_time(self) -> None:
        """Ask the control plane for the time, and for nothing else, on a connection whose dates nobody has checked yet;
        they must hold at the time that it tells. Raises `LinkError`."""
        secured = secure(dial(self.host, self.port), self._make(False), self.host, self.base)
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.sock = secured
        certificate = secured.getpeercert() or {}
        try:
            connection.request("GET", _CLOCK_PATH, headers={"Host": f"{self.host}:{self.port}"})
            date = connection.getresponse().headers.get("Date", "")
        except (OSError, http.client.HTTPException) as error:
            raise explained(error, self.base) from error
        finally:
            connection.close()
        told = Clock(wall=lambda: 0.0)
        told.heard(date)
        if not valid_at(certificate, told.time()):
            raise LinkError("link.unreachable", url=self.base, why="its certificate is not valid now")
        self._clock.heard(date)
