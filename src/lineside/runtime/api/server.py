"""HTTP/1.1 on a unix socket and a loopback port: one thread a connection, everything bounded.

Bounded are connections, the size of headers and bodies, the bytes of all bodies together, and the time that a caller
may take for a request. What breaks HTTP is answered with an error and the connection is closed.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore, Lock, Thread

import h11
import msgspec

from lineside.contract.errors import LinesideError
from lineside.runtime.announce import announce

_HEADERS = 16 << 10
_PIECE = 256 << 10
_LONGEST_NAME = 107
_LINGER = 2.0  # seconds to read on after a refusal, so that it reaches a caller that is still sending
_LOCAL = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?", re.IGNORECASE)
_FULL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Limits:
    """`body` bytes of one request, also once it is unpacked; `bodies` of all requests under way; `connections` at
    once; `seconds` for a caller to send one request; `idle` seconds between two."""

    body: int = 32 << 20
    bodies: int = 64 << 20
    connections: int = 32
    seconds: float = 30.0
    idle: float = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request; names of headers are in lower case."""

    method: str
    path: str  # without the query
    headers: Mapping[str, str]
    body: bytes
    local: bool = False  # by the unix socket
    hold: Callable[[int], None] = lambda count: None  # bytes more, until it is answered; raises `Refused`


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `body` comes in pieces so that tensors need no copy."""

    status: int
    body: tuple[bytes | memoryview, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]


class Refused(Exception):
    """A request that is answered with a status and a sentence."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


def error_response(status: int, why: str) -> Response:
    """An error as the protocol words it: `{"error": …}`."""
    return Response(status, (msgspec.json.encode({"error": why}),), {"content-type": "application/json"})


class Budget:
    """Bytes that requests under way hold together."""

    def __init__(self, limit: int) -> None:
        self._lock, self._left = Lock(), limit

    def take(self, count: int) -> None:
        """Raises `Refused` when there is no room now."""
        with self._lock:
            if count > self._left:
                raise Refused(503, "too many requests are under way; try again")
            self._left -= count

    def give_back(self, count: int) -> None:
        with self._lock:
            self._left += count


class Server:
    """Listens where it is told to and hands whole requests to a handler, from many threads."""

    def __init__(self, handler: Handler, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._handler = handler
        self._budget = Budget(self.limits.bodies)
        self._free = BoundedSemaphore(self.limits.connections)
        self._lock = Lock()
        self._listeners: list[socket.socket] = []
        self._open: set[socket.socket] = set()
        self._threads: list[Thread] = []
        self._unix: Path | None = None

    def listen_unix(self, path: Path) -> None:
        """Listen on a unix socket, for this user and group. Raises `api.unusable`."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)
            with short_name(path) as name:
                listener.bind(name)
            path.chmod(0o660)
        except OSError as error:
            listener.close()
            raise LinesideError("api.unusable", address=path, why=error.strerror or error) from error
        self._unix = path
        self._listen(listener, tcp=False)

    def listen_loopback(self, host: str, port: int) -> int:
        """Listen on a port of a loopback address; the port, which the system chooses for 0. Raises `api.unusable`."""
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
        except OSError as error:
            listener.close()
            raise LinesideError("api.unusable", address=f"{host}:{port}", why=error.strerror or error) from error
        self._listen(listener, tcp=True)
        found: int = listener.getsockname()[1]
        return found

    def stop(self, timeout: float = 5.0) -> None:
        """Close everything; a request that is being answered is broken off."""
        with self._lock:
            listeners, self._listeners = self._listeners, []
            connections = list(self._open)
        for one in (*listeners, *connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for listener in listeners:
            listener.close()
        deadline = time.monotonic() + timeout
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._unix is not None:
            self._unix.unlink(missing_ok=True)

    def _listen(self, listener: socket.socket, *, tcp: bool) -> None:
        listener.listen(64)
        with self._lock:
            self._listeners.append(listener)
        self._start(self._accept, listener, tcp)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=target, args=arguments, name="api", daemon=True)
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive()]
            thread.start()
            self._threads.append(thread)

    def _accept(self, listener: socket.socket, tcp: bool) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                if listener not in self._listeners:
                    return
                time.sleep(0.1)  # no file descriptor is left: others may give theirs back
                continue
            if not self._free.acquire(blocking=False):
                _turn_away(connection)
                continue
            with self._lock:
                self._open.add(connection)
            try:
                self._start(self._serve, connection, tcp)
            except RuntimeError:  # the system gives no thread now: the next caller may get one
                with self._lock:
                    self._open.discard(connection)
                _turn_away(connection)
                self._free.release()

    def _serve(self, connection: socket.socket, tcp: bool) -> None:
        try:
            if tcp:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _Conversation(connection, tcp, self._handler, self.limits, self._budget).hold()
        except (OSError, h11.ProtocolError):
            pass  # the caller went away, or broke off
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()
            self._free.release()


def _turn_away(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(_FULL)
    connection.close()


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name of a unix socket that fits into its 108 bytes, however deep its folder lies (unix(7))."""
    name = os.fspath(path)
    if len(os.fsencode(name)) <= _LONGEST_NAME:
        yield name
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class _Conversation:
    """The requests of one connection, one after the other."""

    def __init__(self, peer: socket.socket, tcp: bool, handler: Handler, limits: Limits, budget: Budget) -> None:
        self._peer, self._tcp, self._handler = peer, tcp, handler
        self._limits, self._budget = limits, budget
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEADERS)
        self._deadline = 0.0
        self._held = 0

    def hold(self) -> None:
        """Answer until either side closes."""
        while self._http.our_state is h11.IDLE:
            try:
                response = self._answered()
            except Refused as refused:
                response = error_response(refused.status, refused.why)
            except h11.RemoteProtocolError as error:
                response = error_response(error.error_status_hint, str(error))
            finally:
                self._budget.give_back(self._held)
                self._held = 0
            if response is None or self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
                return
            self._send(response)
            if not self._both_done():
                self._linger()
                return
            self._http.start_next_cycle()

    def _answered(self) -> Response | None:
        self._deadline = time.monotonic() + self._limits.idle
        head = self._next()
        if not isinstance(head, h11.Request):
            return None
        self._deadline = time.monotonic() + self._limits.seconds
        headers = _headers(head)
        self._check(headers)
        if self._http.they_are_waiting_for_100_continue:
            self._peer.sendall(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        body = self._body()
        path = head.target.decode("ascii", "replace").partition("?")[0]
        request = Request(head.method.decode("ascii"), path, headers, body, not self._tcp, self._hold)
        try:
            return self._handler(request)
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 one request that fails must not end the server
            announce("api.failed", path=path[:200], why=f"{type(error).__name__}: {error}"[:300])
            return error_response(500, "the request failed; the runtime's log says why")

    def _check(self, headers: Mapping[str, str]) -> None:
        if self._tcp and ("origin" in headers or not _LOCAL.fullmatch(headers.get("host", ""))):
            raise Refused(403, "only programs on this machine may ask, and no web pages")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._limits.body:
            raise Refused(413, f"a request has at most {self._limits.body} bytes")

    def _body(self) -> bytes:
        pieces: list[bytes] = []
        while isinstance(event := self._next(), h11.Data):
            self._hold(len(event.data))
            if self._held > self._limits.body:
                raise Refused(413, f"a request has at most {self._limits.body} bytes")
            pieces.append(bytes(event.data))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _hold(self, count: int) -> None:
        self._budget.take(count)
        self._held += count

    def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._peer.settimeout(left)
            self._http.receive_data(self._peer.recv(_PIECE))
        return event

    def _both_done(self) -> bool:
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def _linger(self) -> None:
        self._peer.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + _LINGER
        while (left := deadline - time.monotonic()) > 0:
            self._peer.settimeout(left)
            if not self._peer.recv(_PIECE):
                return

    def _send(self, response: Response) -> None:
        length = sum(len(piece) for piece in response.body)
        headers = [*response.headers.items(), ("content-length", str(length))]
        if self._http.their_state is not h11.DONE:
            headers.append(("connection", "close"))
        head = h11.Response(status_code=response.status, headers=headers)
        self._peer.settimeout(self._limits.seconds)
        self._peer.sendall(self._http.send(head) or b"")
        for piece in response.body:
            for part in self._http.send_with_data_passthrough(h11.Data(data=piece)) or ():  # type: ignore[arg-type]
                self._peer.sendall(part)
        self._peer.sendall(self._http.send(h11.EndOfMessage()) or b"")


def _headers(head: h11.Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in head.headers:
        key = name.decode("ascii")
        if key in found:
            if key in ("content-encoding", "inference-header-content-length", "host", "origin"):
                raise Refused(400, f"the header {key} is there twice")
            continue
        found[key] = value.decode("latin-1")
    return found
