"""Requests over the device's local bus (AWS Greengrass IPC): another component publishes `{"filepath": …}` to a topic
that this one has subscribed to, and hears the answer on another. The bus keeps nothing for who is away: what is asked
while this process is not there is not heard, and one that ends answers what is open with `runtime.stopping`."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

import msgspec

from lineside.contract import topics
from lineside.contract.errors import LinesideError
from lineside.runtime.frames import SourceState
from lineside.runtime.sinks.bus_frames import Frame, Kind
from lineside.runtime.sinks.bus_line import BusAddress, BusLine, publishing, reason
from lineside.runtime.sources.requests import ROOM, Asked, RequestSettings, RequestSource

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LAST_WORDS = 2.0  # seconds for answers at the end
_TERMINATE = 2  # of `:message-flags`: the last message of a stream


class _Json(msgspec.Struct):
    message: msgspec.Raw


class _Binary(msgspec.Struct):
    message: bytes


class _Event(msgspec.Struct, rename="camel"):
    json_message: _Json | None = None
    binary_message: _Binary | None = None

    def payload(self) -> bytes:
        if self.json_message is not None:
            return bytes(self.json_message.message)
        return b"" if self.binary_message is None else self.binary_message.message


class BusRequests(RequestSource):
    """Raises `config.invalid` without a bus or for a topic with wildcards, once it runs. A bus that is away, or forbids
    the topics, is an alarm, and is tried again."""

    def __init__(
        self,
        name: str,
        settings: RequestSettings,
        bus: BusAddress | None,
        folders: Sequence[Path],
        *,
        component: str = "",
    ) -> None:
        super().__init__(name, settings, folders)
        self._bus, self._component = bus, component or "this component"
        self._to_say: deque[bytes] = deque(maxlen=ROOM)
        self._said: dict[int, bytes] = {}  # by stream: given to the bus, which has not answered
        self._bell: socket.socket | None = None  # what is sent there wakes who waits at `_ear`
        self._ear: socket.socket | None = None
        self._ended = False
        self._hearing: Thread | None = None

    def open(self) -> None:
        if self._bus is None:
            why = "requests over the bus need one; the agent names it to components"
            raise LinesideError("config.invalid", path=self.name, why=why)
        for topic in (self.topic, self.answers):
            if not topics.is_topic(topic):
                raise LinesideError("config.invalid", path=self.name, why=f"{topic!r} is not a topic")
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._ended = False
        self._hearing = Thread(target=self._stay, name=f"bus-{self.name}", daemon=True)
        self._hearing.start()

    def say(self, answer: bytes) -> None:
        self._to_say.append(answer)
        self._ring()

    def close(self) -> None:
        self._ended = True
        self._ring()
        if self._hearing is not None:
            self._hearing.join(_LAST_WORDS)

    def _ring(self) -> None:
        if self._bell is not None:
            with suppress(OSError):  # it rings already, or nobody is there any more
                self._bell.send(b".")

    def _stay(self) -> None:
        """Connected, until it is closed and all is said, or cannot be said."""
        pause = _FIRST_PAUSE
        while not self._ended:
            began = time.monotonic()
            try:
                self._connected()
            except LinesideError as error:
                self.become(SourceState.FAILED, error)
            except OSError as error:
                if not self._ended:
                    why = error.strerror or str(error) or type(error).__name__
                    self.become(SourceState.AWAY, LinesideError("source.away", url="The local bus", why=why))
            self._to_say.extendleft(reversed(self._said.values()))  # the bus may have had them: they may come twice
            self._said.clear()
            pause = _FIRST_PAUSE if time.monotonic() - began > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            self.stopping.wait(pause)
        for end in (self._bell, self._ear):
            if end is not None:
                end.close()

    def _connected(self) -> None:
        """One connection. Raises OSError at its end, `request.bus_forbidden`."""
        assert self._bus is not None  # `open` has looked
        line = BusLine(self._bus)
        try:
            (subscription,) = line.call("SubscribeToTopic", msgspec.json.encode({"topic": self.topic}))
            while (frame := line.next()).number(":stream-id") != subscription:
                pass
            if frame.number(":message-type") == Kind.ERROR:
                raise self._forbidden("SubscribeToTopic", self.topic, frame)
            self.become(SourceState.RUNNING)
            self._converse(line, subscription)
        finally:
            line.close()

    def _converse(self, line: BusLine, subscription: int) -> None:
        """Until it is closed and all is said. Raises OSError."""
        while True:
            if self._to_say:
                self._publish(line, self._to_say.popleft())
            elif self._ended and not self._said:
                return
            if line.waiting or self._comes(line):
                self._heard(line.next(), subscription)

    def _publish(self, line: BusLine, answer: bytes) -> None:
        try:
            (stream,) = line.call("PublishToTopic", publishing(self.answers, answer))
        except OSError:
            self._to_say.appendleft(answer)
            raise
        self._said[stream] = answer

    def _comes(self, line: BusLine) -> bool:
        """Whether something has come from the bus; waits for that, or for something to say."""
        seconds = 0.0 if self._to_say else None
        ear = self._ear
        assert ear is not None  # it is there as long as this thread
        ready, _, _ = select.select([line.fileno(), ear.fileno()], [], [], seconds)
        if ear.fileno() in ready:
            ear.recv(4096)
        return line.fileno() in ready

    def _heard(self, frame: Frame, subscription: int) -> None:
        stream = frame.number(":stream-id")
        if self._said.pop(stream, None) is not None:
            if frame.number(":message-type") == Kind.ERROR:
                self.become(SourceState.FAILED, self._forbidden("PublishToTopic", self.answers, frame))
            elif self.health().state is not SourceState.RUNNING:
                self.become(SourceState.RUNNING)
        elif stream == subscription:
            if frame.number(":message-flags") & _TERMINATE:
                raise ConnectionError("the bus has ended the subscription")
            self.hear(Asked(_payload(frame.payload), lambda: None))

    def _forbidden(self, operation: str, topic: str, frame: Frame) -> LinesideError:
        return LinesideError(
            "request.bus_forbidden", component=self._component, operation=operation, topic=topic, why=reason(frame)
        )


def _payload(event: bytes) -> bytes:
    """What was published; nothing, which is no request, for an event that cannot be read."""
    try:
        return msgspec.json.decode(event, type=_Event).payload()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b""
