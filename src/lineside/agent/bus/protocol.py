"""The component protocol: from frames to calls of operations, and errors back. Belongs to the bus's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lineside.agent.bus import frames
from lineside.agent.bus.connection import MAX_STREAMS, Call, Connection
from lineside.agent.bus.failures import Failure, failure, invalid
from lineside.agent.bus.frames import Frame, FrameError, MessageType
from lineside.contract.errors import LinesideError
from lineside.contract.reading import UNREADABLE

VERSION = "0.1.0"
SERVICE = "aws.greengrass#"

_log = logging.getLogger(__name__)


class Later:
    """What a handler returns that answers the call itself, later."""


LATER = Later()
Post = Callable[[Callable[[], None]], None]
"""Have something done in the bus's thread."""
Defer = Callable[[Call, Callable[[], Any]], Later]
"""Have a call answered with what some work in another thread returns or raises."""


class Operation(msgspec.Struct, frozen=True):
    """How one operation is done: `handle(call, request)` returns the answer's keys (None: no keys), or `LATER`."""

    handle: Callable[[Call, Any], Mapping[str, Any] | msgspec.Struct | Later | None]
    request: type[msgspec.Struct]
    streaming: bool = False


class _Connect(msgspec.Struct, rename="camel"):
    auth_token: str


class Protocol:
    """Answers frames. `admit(token, user)` says whose token it is, or None."""

    def __init__(self, operations: Mapping[str, Operation], admit: Callable[[str, int], str | None]) -> None:
        self._operations = {
            name: (operation, msgspec.json.Decoder(operation.request)) for name, operation in operations.items()
        }
        self._admit = admit

    def received(self, connection: Connection, frame: Frame) -> None:
        """Act on one frame. Raises `FrameError` when the other side does not speak the protocol."""
        kind, stream = frame.number(":message-type"), frame.number(":stream-id")
        flags = frame.number(":message-flags")
        if connection.component is None:
            if kind != MessageType.CONNECT or stream != 0:
                raise FrameError("the first message must be CONNECT")
            self._connect(connection, frame)
        elif kind == MessageType.APPLICATION_MESSAGE and stream > 0:
            self._application(connection, frame, stream, flags)
        elif kind == MessageType.PING and stream == 0:
            connection.send(frames.message(MessageType.PING_RESPONSE, 0, 0, frame.payload))
        elif kind in (MessageType.PING_RESPONSE, MessageType.PROTOCOL_ERROR, MessageType.INTERNAL_ERROR):
            return
        else:
            raise FrameError(f"a message of type {kind} on stream {stream} was not expected")

    def _connect(self, connection: Connection, frame: Frame) -> None:
        component = None
        if frame.text(":version") == VERSION:
            try:
                token = msgspec.json.decode(frame.payload, type=_Connect).auth_token
                component = self._admit(token, connection.user)
            except UNREADABLE:
                component = None
        if component is None:
            _log.warning("refused a connection of user %d: wrong token or version", connection.user)
            connection.closing = True
        else:
            connection.component = component
            connection.decoder.limit = frames.MAX_FRAME
        flags = 0 if component is None else frames.ACCEPTED
        connection.send(frames.message(MessageType.CONNECT_ACK, flags, 0))

    def _application(self, connection: Connection, frame: Frame, stream: int, flags: int) -> None:
        call = connection.calls.get(stream)
        if call is not None:
            if flags & frames.TERMINATE:
                call.end()
            return  # no operation takes events from the component
        if stream <= connection.last_stream:
            return  # it was closed from here while this was on its way
        name = (frame.text("operation") or "").removeprefix(SERVICE)
        operation, decoder = self._operations.get(name, (None, None))
        streaming = operation is not None and operation.streaming
        call = connection.open_call(stream, name, streaming=streaming)
        if streaming and len(connection.calls) > MAX_STREAMS:
            call.fail(failure(LinesideError("bus.busy", what="open streams")))
        elif operation is None or decoder is None:
            call.fail(failure(LinesideError("bus.unsupported", operation=name or "a call without an operation")))
        else:
            self._handle(call, operation, decoder, frame.payload)
        if flags & frames.TERMINATE and not call.closed:
            call.close()

    def _handle(self, call: Call, operation: Operation, decoder: msgspec.json.Decoder[Any], payload: bytes) -> None:
        answer(call, lambda: operation.handle(call, _decoded(decoder, payload)))


def answer(call: Call, work: Callable[[], Any]) -> None:
    """Answer a call with what `work` returns or raises."""
    try:
        found = work()
        if found is not LATER:
            call.answer(b"{}" if found is None else msgspec.json.encode(found))
    except Failure as error:
        call.fail(error)
    except LinesideError as error:
        call.fail(failure(error))
    except Exception as error:  # noqa: BLE001 one call's mistake must not end the bus
        _log.exception("%s failed for %s", call.operation, call.component)
        call.fail(Failure("ServiceError", f"{call.operation} failed: {type(error).__name__}"))


def _decoded(decoder: msgspec.json.Decoder[Any], payload: bytes) -> Any:
    try:
        return decoder.decode(payload or b"{}")
    except UNREADABLE as error:
        raise invalid(f"The request cannot be read: {error}.") from error
