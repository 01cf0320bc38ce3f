"""One GET of an address on this device, which a thread can break off and which always ends at its deadline.

HTTP/1.0 over a socket of our own: a server that sends a byte now and then would keep the standard library's client for
ever. No redirects, no proxy, no TLS.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import time
from urllib.parse import urlsplit

import msgspec

from lineside.agent.supervision.processes import Interrupt
from lineside.contract.errors import LinesideError

_MOST = 64 << 10


class Reply(msgspec.Struct, frozen=True):
    """What came back; status 0 and `why` when nothing understandable did."""

    status: int
    body: bytes = b""
    why: str = ""


def fetch(component: str, url: str, stop: Interrupt, deadline: float) -> Reply:
    """GET `url` until `deadline` (time.monotonic()). Raises `component.probe_address` for one not on this device."""
    host, port, path = _address(component, url)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        try:
            connection.connect_ex((host, port))
            if not _ready(connection, stop, deadline, write=True):
                return Reply(0, why="no answer")
            problem = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if problem:
                return Reply(0, why="connection refused")
            request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
            connection.send(request.encode())
            return _parse(_receive(connection, stop, deadline))
        except OSError as error:
            return Reply(0, why=error.strerror or str(error))


def _address(component: str, url: str) -> tuple[str, int, str]:
    try:
        parts = urlsplit(url)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        local = ipaddress.ip_address(host).is_loopback
        port = parts.port or 80
    except ValueError:
        local = False
    if not local or parts.scheme != "http" or any(character.isspace() for character in url):
        raise LinesideError("component.probe_address", name=component, url=url)
    return host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _ready(connection: socket.socket, stop: Interrupt, deadline: float, *, write: bool = False) -> bool:
    """Wait until the socket can go on; False at the deadline, or when everything is to be broken off."""
    while not stop.is_set():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        readers = [stop.fileno()] if write else [connection.fileno(), stop.fileno()]
        readable, writable, _ = select.select(readers, [connection.fileno()] if write else [], [], left)
        if writable or connection.fileno() in readable:
            return True
    return False


def _receive(connection: socket.socket, stop: Interrupt, deadline: float) -> bytes:
    received = b""
    while len(received) < _MOST and not _complete(received) and _ready(connection, stop, deadline):
        piece = connection.recv(_MOST)
        if not piece:
            break
        received += piece
    return received


def _complete(received: bytes) -> bool:
    """Whether all of the body is there, as far as the server says how long it is."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
    return False


def _parse(received: bytes) -> Reply:
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return Reply(0, why="no HTTP answer" if received else "no answer")
    return Reply(int(words[1]), body)
