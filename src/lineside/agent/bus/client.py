"""A small client of the bus, for our own programs: calls one after the other, and streams of events.

with Client() as bus:
    bus.call("PublishToTopic", {"topic": "a", "publishMessage": {"jsonMessage": {"message": {"b": 1}}}})
    for event in bus.open("SubscribeToTopic", {"topic": "a"}): ...
"""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from lineside.agent.bus import frames
from lineside.agent.bus.frames import Frame, FrameError, MessageType

PATH_VARIABLE = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"
TOKEN_VARIABLE = "SVCUID"
_SERVICE = "aws.greengrass#"


class BusError(Exception):
    """The bus refused: `name` as AWS models it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message


class Stream:
    """An open stream: iterate over its events; `close` it when done."""

    def __init__(self, client: Client, id: int) -> None:
        self._client = client
        self._id = id

    def __iter__(self) -> Iterator[Any]:
        while (event := self._client.event(self._id)) is not None:
            yield event

    def next(self) -> Any:
        """The next event; None once the stream is closed. Raises `TimeoutError`."""
        return self._client.event(self._id)

    def close(self) -> None:
        """End it."""
        self._client.end(self._id)


class Client:
    """One connection, for one thread. Without arguments it takes a component's environment. Raises `OSError`."""

    def __init__(self, path: str | None = None, token: str | None = None, timeout: float = 10.0) -> None:
        path = path or os.environ[PATH_VARIABLE]
        self._decoder = frames.Decoder()
        self._streams: dict[int, deque[Frame]] = {}
        self._last = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(path)
            self._greet(os.environ[TOKEN_VARIABLE] if token is None else token)
        except BaseException:
            self._socket.close()
            raise

    def call(self, operation: str, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Call an operation; its answer. Raises `BusError`, `TimeoutError`."""
        id = self._send(operation, request or {})
        try:
            return self._answer(id)
        finally:
            self._streams.pop(id, None)

    def open(self, operation: str, request: Mapping[str, Any] | None = None) -> Stream:
        """Call an operation that goes on with events."""
        id = self._send(operation, request or {})
        self._answer(id)
        return Stream(self, id)

    def event(self, id: int) -> Any:
        """The next event of a stream; None once it is closed."""
        if id not in self._streams:
            return None
        frame = self._next(id)
        if frame.number(":message-flags") & frames.TERMINATE:
            self._streams.pop(id, None)
            return None
        return json.loads(frame.payload)

    def end(self, id: int) -> None:
        """Close a stream."""
        if self._streams.pop(id, None) is not None:
            self._socket.sendall(frames.message(MessageType.APPLICATION_MESSAGE, frames.TERMINATE, id))

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _greet(self, token: str) -> None:
        headers: dict[str, frames.Value] = {
            ":message-type": int(MessageType.CONNECT),
            ":message-flags": 0,
            ":stream-id": 0,
            ":version": "0.1.0",
        }
        self._streams[0] = deque()
        self._socket.sendall(frames.encode(headers, json.dumps({"authToken": token}).encode()))
        if not self._next(0).number(":message-flags") & frames.ACCEPTED:
            raise BusError("UnauthorizedError", "The bus does not know this token.")

    def _send(self, operation: str, request: Mapping[str, Any]) -> int:
        self._last += 1
        self._streams[self._last] = deque()
        headers: dict[str, frames.Value] = {
            ":message-type": int(MessageType.APPLICATION_MESSAGE),
            ":message-flags": 0,
            ":stream-id": self._last,
            ":content-type": "application/json",
            "operation": _SERVICE + operation,
            "service-model-type": f"{_SERVICE}{operation}Request",
        }
        self._socket.sendall(frames.encode(headers, json.dumps(request).encode()))
        return self._last

    def _answer(self, id: int) -> dict[str, Any]:
        frame = self._next(id)
        body: dict[str, Any] = json.loads(frame.payload or b"{}")
        if frame.number(":message-type") == MessageType.APPLICATION_ERROR:
            self._streams.pop(id, None)
            name = (frame.text("service-model-type") or "").removeprefix(_SERVICE)
            raise BusError(name, str(body.get("message", "")))
        return body

    def _next(self, id: int) -> Frame:
        """The next frame of a stream; those of others wait for whoever asks for them."""
        queue = self._streams[id]
        while not queue:
            data = self._socket.recv(128 << 10)
            if not data:
                raise ConnectionError("the bus has closed the connection")
            for frame in self._decoder.feed(data):
                if frame.number(":message-type") == MessageType.PROTOCOL_ERROR:
                    raise FrameError(frame.payload.decode(errors="replace"))
                stream = self._streams.get(frame.number(":stream-id"))
                if stream is not None:
                    stream.append(frame)
        return queue.popleft()
