"""The fast lane: answers usual check-ins before the framework sees them.

`GET /device/v1/desired`, `POST /device/v1/reports` and `POST /device/v1/token` are nearly all that a fleet asks, and
what the framework does for each costs several times what answering does. Whatever is not usual (no token, a device that
may not come in, a body that cannot be read) goes on to the framework, where it is judged and explained.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from lineside.contract.device import DeviceState, TokenRequest
from lineside.contract.errors import Kind, LinesideError
from lineside.contract.reading import UNREADABLE
from lineside.contract.reported import ReportsRequest
from lineside.server.access.authentication import source_of
from lineside.server.devices.checkin import CheckIns, Look
from lineside.server.errors import ErrorBody

_MAY_COME_IN = frozenset({DeviceState.ACCEPTED.value, DeviceState.QUARANTINED.value})
_JSON = (b"content-type", b"application/json")

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
"""As in ASGI 3; the framework has a type of its own for each message."""

_log = structlog.get_logger("lineside.devices")


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""


class FastLane:
    """Wraps the devices' application; `largest` is how many bytes a body may have."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]], checkins: CheckIns, largest: int) -> None:
        self.app = app
        self._checkins = checkins
        self._largest = largest
        self._reports_decoder = msgspec.json.Decoder(ReportsRequest)
        self._token_decoder = msgspec.json.Decoder(TokenRequest)
        self._encoder = msgspec.json.Encoder()

    async def __call__(self, scope: Any, receive: Receive, send: Callable[[Any], Awaitable[None]]) -> None:
        reply: _Reply | None = None
        if scope["type"] == "http":
            match scope["method"], scope["path"]:
                case "GET", "/device/v1/desired":
                    reply = await self._tried(self._desired(scope))
                case "POST", "/device/v1/reports":
                    body = _Body(receive)
                    reply, receive = await self._tried(self._reports(scope, body)), body.receive
                case "POST", "/device/v1/token":
                    body = _Body(receive)
                    reply, receive = await self._tried(self._token(scope, body)), body.receive
        if reply is None:
            await self.app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})

    async def _tried(self, answering: Awaitable[_Reply | None]) -> _Reply | None:
        try:
            return await answering
        except LinesideError as error:
            return None if error.kind is Kind.INTERNAL else self._json(ErrorBody(error.report()), int(error.kind))
        except (*UNREADABLE, ConnectionError):  # or the client went away
            return None
        except Exception:  # noqa: BLE001 the framework tries it again, and answers whatever comes of it
            _log.exception("check-in failed")
            return None

    async def _desired(self, scope: Message) -> _Reply | None:
        headers = dict(scope["headers"])
        found = await self._caller(headers)
        if found is None:
            return None
        device, look = found
        told = await self._checkins.ask(device, look, headers.get(b"if-none-match", b"").decode("latin-1"))
        answer = [(name.lower().encode(), value.encode()) for name, value in told.headers().items()]
        return _Reply(304, answer) if told.document is None else self._json(told.document, 200, answer)

    async def _reports(self, scope: Message, body: _Body) -> _Reply | None:
        headers = dict(scope["headers"])
        found = await self._caller(headers) if self._is_usual(headers) else None
        if found is None:
            return None
        request = self._reports_decoder.decode(await body.read())
        return self._json(await self._checkins.report(found[0], request))

    async def _token(self, scope: Any, body: _Body) -> _Reply | None:
        if not self._is_usual(dict(scope["headers"])):
            return None
        request = self._token_decoder.decode(await body.read())
        return self._json(await self._checkins.token(request.client_assertion, source_of(scope)))

    def _is_usual(self, headers: dict[bytes, bytes]) -> bool:
        """Whether the body is JSON and no longer than it may be."""
        length = headers.get(b"content-length", b"")
        short = length.isdigit() and int(length) <= self._largest
        return short and headers.get(b"content-type") == b"application/json"

    async def _caller(self, headers: dict[bytes, bytes]) -> tuple[str, Look] | None:
        """The device that asks and how things stand with it, if it may come in."""
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        device = self._checkins.device_of(token.strip())
        look = await self._checkins.look(device)
        return (device, look) if look is not None and look.state in _MAY_COME_IN else None

    def _json(self, value: object, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = ()) -> _Reply:
        body = self._encoder.encode(value)
        return _Reply(status, [_JSON, *headers, (b"content-length", str(len(body)).encode())], body)


class _Body:
    """A request's body, which may be read twice: what was taken here the framework receives again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._taken: list[Message] = []

    async def read(self) -> bytes:
        """All of it. Raises ConnectionError when the client went away."""
        while True:
            message = await self._receive()
            self._taken.append(message)
            if message["type"] != "http.request":
                raise ConnectionError
            if not message.get("more_body"):
                return b"".join(one["body"] for one in self._taken if one["type"] == "http.request")

    async def receive(self) -> Any:
        """What ASGI's `receive` gives, from the beginning."""
        return self._taken.pop(0) if self._taken else await self._receive()
