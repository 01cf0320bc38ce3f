"""One component's connection and the calls on it. A call is a stream: a request, its answer, perhaps events, an end."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

from lineside.agent.bus import frames
from lineside.agent.bus.buffers import ANSWERS_CAP, TOTAL_CAP, Budget, Outgoing
from lineside.agent.bus.failures import Failure
from lineside.agent.bus.frames import MessageType

MAX_STREAMS = 1000
"""Streams one connection may have open."""
MAX_WAITING = 100
"""Calls of one connection that may wait for work elsewhere before nothing more is read from it."""
MAX_FIRST_FRAME = 8 << 10
"""Bytes of the largest frame of somebody who has not said who it is."""
_READ = 128 << 10


class Call:
    """One stream. Belongs to the bus's thread; after `closed` whatever is sent goes nowhere."""

    __slots__ = ("_operation", "_streaming", "closed", "connection", "id", "on_close")

    def __init__(self, connection: Connection, id: int, operation: str, *, streaming: bool) -> None:
        self.id = id
        self.closed = False
        self.on_close: Callable[[], None] | None = None
        self.connection = connection
        self._operation = operation
        self._streaming = streaming

    @property
    def component(self) -> str:
        """Who calls."""
        return self.connection.component or ""

    @property
    def operation(self) -> str:
        """What it calls."""
        return self._operation

    def answer(self, payload: bytes = b"{}") -> None:
        """Answer. This ends the stream unless the operation goes on with events."""
        if self.closed:
            return
        # Without TERMINATE here the SDK keeps every call that was ever made (6 KiB each).
        flags = 0 if self._streaming else frames.TERMINATE
        self._send(MessageType.APPLICATION_MESSAGE, flags, payload, f"{self._operation}Response")
        if not self._streaming:
            self.close()

    def fail(self, failure: Failure) -> None:
        """Answer with an error; this ends the stream."""
        if self.closed:
            return
        self._send(MessageType.APPLICATION_ERROR, frames.TERMINATE, failure.payload(), failure.name)
        self.close()

    def event(self, model: str, payload: bytes) -> None:
        """Send an event; it is dropped when the component reads too slowly."""
        if not self.closed:
            frame = frames.message(MessageType.APPLICATION_MESSAGE, 0, self.id, payload, model)
            self.connection.send_event(self.id, frame)

    def end(self) -> None:
        """End the stream from here: its component hears that it is closed."""
        if not self.closed:
            self.close()
            self.connection.send(frames.message(MessageType.APPLICATION_MESSAGE, frames.TERMINATE, self.id))

    def close(self) -> None:
        """The stream is over, for whatever reason."""
        if self.closed:
            return
        self.closed = True
        self.connection.forget(self)
        if self.on_close is not None:
            self.on_close()
            self.on_close = None

    def _send(self, kind: MessageType, flags: int, payload: bytes, model: str) -> None:
        self.connection.send(frames.message(kind, flags, self.id, payload, model))


class Connection:
    """A connected socket. `changed` is called when there is something new to write."""

    def __init__(self, sock: socket.socket, user: int, budget: Budget, changed: Callable[[Connection], None]) -> None:
        self.socket = sock
        self.user = user
        self.component: str | None = None
        self.calls: dict[int, Call] = {}
        self.last_stream = 0
        self.waiting = 0
        self.closing = False  # sent away: what still comes is thrown away
        self.decoder = frames.Decoder(MAX_FIRST_FRAME)
        self.outgoing = Outgoing(budget)
        self._budget = budget
        self._held = 0
        self._changed = changed

    @property
    def wants_read(self) -> bool:
        """Whether more may be read: not while it does not take its answers, or has too much asked already."""
        return self.closing or (self.outgoing.answer_bytes < ANSWERS_CAP and self.waiting < MAX_WAITING)

    @property
    def wants_write(self) -> bool:
        """Whether something waits to be written."""
        return bool(self.outgoing)

    def read(self) -> Iterator[frames.Frame] | None:
        """What has come, one frame after the other; None at the end. Going through it raises `FrameError`."""
        try:
            data = self.socket.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return iter(())
        except OSError:
            return None
        if not data:
            return None
        return iter(()) if self.closing else self.decoder.feed(data)

    def write(self) -> bool:
        """Write as much as goes now; False when nobody is there any more."""
        while self.outgoing:
            try:
                count = self.socket.send(self.outgoing.chunk())
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:
                return False
            self.outgoing.written(count)
        return True

    def send(self, frame: bytes) -> None:
        """Send what may not be lost."""
        self.outgoing.answer(frame)
        self._changed(self)

    def send_event(self, stream: int, frame: bytes) -> None:
        """Send what may be dropped."""
        self.outgoing.event(stream, frame)
        self._changed(self)

    def open_call(self, id: int, operation: str, *, streaming: bool) -> Call:
        """A new stream."""
        self.last_stream = max(self.last_stream, id)
        call = self.calls[id] = Call(self, id, operation, streaming=streaming)
        return call

    def resume(self) -> None:
        """One call fewer waits for work elsewhere."""
        self.waiting -= 1
        self._changed(self)

    def forget(self, call: Call) -> None:
        """A stream is over."""
        if self.calls.pop(call.id, None) is not None:
            self.outgoing.end_stream(call.id)

    def close(self) -> None:
        """End every stream and the connection."""
        for call in list(self.calls.values()):
            call.close()
        self.outgoing.close()
        self._budget.used -= self._held
        self._held = 0
        with contextlib.suppress(OSError):
            self.socket.close()

    def hold(self) -> None:
        """Count what has come of a frame that is not complete. Raises `FrameError` when that is too much."""
        count = self.decoder.waiting
        self._budget.used += count - self._held
        self._held = count
        if self._budget.used > TOTAL_CAP and count > _READ:
            raise frames.FrameError("the bus holds too many bytes already")
