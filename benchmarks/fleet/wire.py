"""HTTP/1.1 over TLS with as little as a simulated device needs: one connection, one request at a time, kept open."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast


@dataclass(slots=True, frozen=True)
class Answer:
    """Status, headers as they came (lower case, one text) and body."""

    status: int
    head: str
    body: bytes

    def header(self, name: str) -> str:
        """A header's value; empty when there is none."""
        _, found, rest = self.head.partition(f"\r\n{name}: ")
        return rest.partition("\r\n")[0] if found else ""


class Gone(OSError):
    """The connection ended before the answer."""


class Connection(asyncio.Protocol):
    """A kept connection. `ask` sends a whole request and gives the answer."""

    __slots__ = ("_buffer", "_transport", "_waiting")

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._buffer = b""

    @property
    def open(self) -> bool:
        """Whether the other side has not closed it."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Answer:
        """Raises `Gone`."""
        if self._transport is None or self._transport.is_closing():
            raise Gone("closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        text = head.decode("latin-1")
        status = int(text[9:12])
        lower = text.lower()
        length = 0 if status == 304 else int(lower.partition("\r\ncontent-length: ")[2].partition("\r\n")[0])
        if len(body) < length:
            return
        self._buffer = b""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(Answer(status, lower, body))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Gone(str(exc)))


async def connect(port: int, tls: ssl.SSLContext) -> Connection:
    """A new connection to a port of this machine."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port, ssl=tls, server_hostname="127.0.0.1")
    return connection


def request(method: str, path: str, token: str = "", body: bytes = b"", extra: str = "") -> bytes:
    """A whole request, with the headers that an agent sends."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if method != "GET" else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n"
    head += f"User-Agent: lineside-agent/0\r\n{bearer}{extra}{length}\r\n"
    return head.encode() + body
