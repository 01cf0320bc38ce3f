"""Results to other components of the device, over its local bus: AWS Greengrass IPC, PublishToTopic.

A component is told the bus's socket and its own token (SVCUID) in its environment. The bus answers each call; a result
has arrived when it did. Who hears it, the bus doesn't say.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.runtime.rules.messages import events_of
from lineside.runtime.sinks import bus_frames
from lineside.runtime.sinks.bus_frames import Decoder, Frame, Kind
from lineside.runtime.sinks.settings import BusSinkSettings
from lineside.runtime.spool import Entry

PATH_VARIABLE = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"
TOKEN_VARIABLE = "SVCUID"

_SERVICE = "aws.greengrass#"
_VERSION = "0.1.0"
_ROOM = 100
_SECONDS = 10.0  # for one word of the other side
_LAST_STREAM = 2**31 - 1


class Publisher:
    """One connection to a bus. Raises OSError when it cannot go on; then it is closed."""

    def __init__(self, path: str, token: str, timeout: float = _SECONDS) -> None:
        self._decoder = Decoder()
        self._last = 0
        self._heard: deque[Frame] = deque()
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._line.settimeout(timeout)
            self._line.connect(path)
            self._greet(token)
        except BaseException:
            self._line.close()
            raise

    @property
    def worn(self) -> bool:
        """Whether its streams are used up."""
        return self._last >= _LAST_STREAM - _ROOM * 10

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """JSON messages (topic, object), all sent before the first answer is waited for. Raises OSError unless each
        was taken."""
        waiting = set(range(self._last + 1, self._last + 1 + len(messages)))
        self._last += len(messages)
        try:
            frames = [_call(stream, *message) for stream, message in zip(sorted(waiting), messages, strict=True)]
            self._line.sendall(b"".join(frames))
            while waiting:
                waiting.discard(self._answer())
        except OSError:
            self.close()
            raise

    def close(self) -> None:
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

    def _answer(self) -> int:
        """The stream that has an answer."""
        while True:
            frame = self._next()
            kind, stream = frame.number(":message-type"), frame.number(":stream-id")
            if kind == Kind.PING:
                pong = {":message-type": int(Kind.PING_RESPONSE), ":message-flags": 0, ":stream-id": 0}
                self._line.sendall(bus_frames.encode(pong, frame.payload))
            elif kind == Kind.MESSAGE:
                return stream
            elif kind != Kind.PING_RESPONSE:
                raise OSError(f"the bus refuses: {_reason(frame)}")

    def _next(self) -> Frame:
        while not self._heard:
            data = self._line.recv(64 << 10)
            if not data:
                raise ConnectionError("the bus has closed the connection")
            self._heard.extend(self._decoder.feed(data))
        return self._heard.popleft()


class BusSink:
    """Publishes in the thread that calls `send`; connects again after a failure."""

    def __init__(self, settings: BusSinkSettings, environment: Mapping[str, str]) -> None:
        """Raises `sink.invalid`."""
        self.durable = settings.durable
        self._topic, self._events_topic = settings.topic, settings.events_topic
        for key, topic in (("topic", self._topic), ("events_topic", self._events_topic)):
            if topic and not topics.is_topic(topic):
                raise _invalid(key, "nothing can be published there")
        if not (self._topic or self._events_topic):
            raise _invalid("topic", "it is empty")
        self._path, self._token = environment.get(PATH_VARIABLE, ""), environment.get(TOKEN_VARIABLE, "")
        if not (self._path and self._token):
            raise _invalid("bus", "the environment names no bus; the agent gives it to components")
        self._publisher: Publisher | None = None
        self._arrived: list[int] = []

    def room(self) -> int:
        return _ROOM

    def trouble(self) -> str:
        return ""  # `send` raises

    def send(self, entries: Sequence[Entry]) -> None:
        """Raises OSError when not all was taken."""
        messages: list[tuple[str, bytes]] = []
        for entry in entries:
            if self._topic:
                messages.append((self._topic, entry.payload))
            if self._events_topic:
                messages += [(self._events_topic, event) for event in events_of(entry)]
        if messages:
            self._publish(messages)
        self._arrived += [entry.sequence for entry in entries]

    def settled(self) -> list[int]:
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self, timeout: float) -> None:
        if self._publisher is not None:
            self._publisher.close()

    def _publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        if self._publisher is None or self._publisher.worn:
            self.close(0.0)
            self._publisher = Publisher(self._path, self._token)
        try:
            self._publisher.publish(messages)
        except OSError:
            self._publisher = None
            raise


def _call(stream: int, topic: str, message: bytes) -> bytes:
    headers: dict[str, int | str] = {
        ":message-type": int(Kind.MESSAGE),
        ":message-flags": 0,
        ":stream-id": stream,
        ":content-type": "application/json",
        "operation": _SERVICE + "PublishToTopic",
        "service-model-type": _SERVICE + "PublishToTopicRequest",
    }
    start = b'{"topic":' + msgspec.json.encode(topic) + b',"publishMessage":{"jsonMessage":{"message":'
    return bus_frames.encode(headers, start + message + b"}}}")


def _reason(frame: Frame) -> str:
    name = str(frame.headers.get("service-model-type", "")).removeprefix(_SERVICE)
    words = ""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, AttributeError):
        words = str(msgspec.json.decode(frame.payload).get("message", ""))
    return f"{name}: {words}".strip(": ") or "without a reason"


def _invalid(key: str, why: str) -> LinesideError:
    return LinesideError("sink.invalid", sink="bus", key=key, why=why)
