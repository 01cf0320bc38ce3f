"""One connection to the device's local bus (AWS Greengrass IPC): calls and their answers, as frames. What a component
is told of the bus, its socket and the component's own token, is in its environment."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec

from lineside.runtime.sinks import bus_frames
from lineside.runtime.sinks.bus_frames import Decoder, Frame, Kind

PATH_VARIABLE = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"
TOKEN_VARIABLE = "SVCUID"
SECONDS = 10.0
"""For one word of the other side."""

_SERVICE = "aws.greengrass#"
_VERSION = "0.1.0"
_LAST_STREAM = 2**31 - 1
_SPARE = 1000
_PONG: dict[str, int | str] = {":message-type": int(Kind.PING_RESPONSE), ":message-flags": 0, ":stream-id": 0}


class BusAddress(NamedTuple):
    """Where the bus is, and the token by which it knows this component."""

    path: str
    token: str


def bus_of(environment: Mapping[str, str]) -> BusAddress | None:
    """The bus that an environment names, if it does."""
    path, token = environment.get(PATH_VARIABLE, ""), environment.get(TOKEN_VARIABLE, "")
    return BusAddress(path, token) if path and token else None


class BusLine:
    """For one thread at a time. Raises OSError when it cannot go on; PermissionError when the bus lets nobody in."""

    def __init__(self, address: BusAddress, timeout: float = SECONDS) -> None:
        self._decoder = Decoder()
        self._last = 0
        self._heard: deque[Frame] = deque()
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._line.settimeout(timeout)
            self._line.connect(address.path)
            self._greet(address.token)
        except BaseException:
            self._line.close()
            raise

    @property
    def worn(self) -> bool:
        """Whether its streams are used up."""
        return self._last >= _LAST_STREAM - _SPARE

    def call(self, operation: str, *requests: bytes) -> list[int]:
        """Calls an operation with each of these JSON documents, all of them sent before any answer; their streams."""
        streams = list(range(self._last + 1, self._last + 1 + len(requests)))
        self._last += len(requests)
        self._line.sendall(b"".join(map(_call, streams, [operation] * len(requests), requests)))
        return streams

    def next(self) -> Frame:
        """The next message or error of a stream; pings are answered. Raises OSError for an error of the connection."""
        while True:
            frame = self._next()
            kind = frame.number(":message-type")
            if kind == Kind.PING:
                pong: dict[str, int | str] = {
                    ":message-type": int(Kind.PING_RESPONSE),
                    ":message-flags": 0,
                    ":stream-id": 0,
                }
                self._line.sendall(bus_frames.encode(pong, frame.payload))
            elif kind in (Kind.MESSAGE, Kind.ERROR):
                return frame
            elif kind != Kind.PING_RESPONSE:
                raise OSError(f"the bus refuses: {reason(frame)}")

    @property
    def waiting(self) -> bool:
        """Whether frames have come that `next` has not handed out."""
        return bool(self._heard)

    def fileno(self) -> int:
        """To wait until something comes."""
        return self._line.fileno()

    def close(self) -> None:
        """Ends it."""
        self._line.close()

    def _greet(self, token: str) -> None:
        headers: dict[str, int | str] = {
            ":message-type": int(Kind.CONNECT),
            ":message-flags": 0,
            ":stream-id": 0,
            ":version": _VERSION,
        }
        self._line.sendall(bus_frames.encode(headers, msgspec.json.encode({"authToken": token})))
        answer = self._next()
        accepted = answer.number(":message-flags") & bus_frames.ACCEPTED
        if answer.number(":message-type") != Kind.CONNECT_ACK or not accepted:
            raise PermissionError("the bus does not let this component in")

    def _next(self) -> Frame:
        while not self._heard:
            data = self._line.recv(64 << 10)
            if not data:
                raise ConnectionError("the bus has closed the connection")
            self._heard.extend(self._decoder.feed(data))
        return self._heard.popleft()


def publishing(topic: str, message: bytes) -> bytes:
    """The request of PublishToTopic for a JSON object."""
    return (
        b'{"topic":' + msgspec.json.encode(topic) + b',"publishMessage":{"jsonMessage":{"message":' + message + b"}}}"
    )


def reason(frame: Frame) -> str:
    """What an error of the bus says: its name and its words."""
    name = str(frame.headers.get("service-model-type", "")).removeprefix(_SERVICE)
    words = ""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, AttributeError):
        words = str(msgspec.json.decode(frame.payload).get("message", ""))
    return f"{name}: {words}".strip(": ") or "without a reason"


def _call(stream: int, operation: str, request: bytes) -> bytes:
    headers: dict[str, int | str] = {
        ":message-type": int(Kind.MESSAGE),
        ":message-flags": 0,
        ":stream-id": stream,
        ":content-type": "application/json",
        "operation": _SERVICE + operation,
        "service-model-type": f"{_SERVICE}{operation}Request",
    }
    return bus_frames.encode(headers, request)
